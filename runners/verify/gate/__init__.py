"""The gate: takes the verdict on a change from rules, suites and experiments, and puts it into words."""
