"""How much of a suite is run: which tests come first, and what a suite leaves unsaid that could not run all of itself."""
