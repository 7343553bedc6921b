"""The domain language of a repository, and its first draft drawn from code.

It is read from `.scenarist/domain.yml`."""
