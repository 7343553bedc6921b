"""Run a repository's suites in sandboxes, on fresh checkouts, and read the outcome of each test."""
