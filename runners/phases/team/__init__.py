"""More than one model on the same scenarios: candidates, pairs, and the critique of a proven change.

What was run decides between their results.
"""
