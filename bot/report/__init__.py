"""Turns a run's state into what people read: status comment, pull request, check run, run page."""
