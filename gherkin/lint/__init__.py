"""The linter of scenarios: findings by code, with the line and what to write instead.

It stands above features and the domain language."""
