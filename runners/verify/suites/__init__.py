"""Runs a repository's suites in sandboxes, on fresh checkouts, and reads what came of each test."""
