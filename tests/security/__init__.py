"""Attacks that are really tried, each with a control: the same attempt succeeds where the guard is off."""
