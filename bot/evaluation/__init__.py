"""`scenarist eval`: tasks with hidden tests, tried with anybody's models.

An attempt is a `scenarist run`; the tests that judge it are run afterwards, on the tree that came of it."""
