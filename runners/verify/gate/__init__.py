"""The gate: take the verdict on a change from rules, suites and experiments, and put it into words."""
