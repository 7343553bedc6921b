"""`scenarist eval`: try anybody's models on tasks with hidden tests.

An attempt is a `scenarist run`; the hidden tests are run afterwards, on the resulting files.
"""
