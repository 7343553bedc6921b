"""A repository's environment: found, built and cached before a model takes part.

Only this step may reach package registries."""
