"""Requests to a model outside the tool loop, one answer each.

A navigator's advice, a review, commands for the set-up, the first draft of a domain language."""
