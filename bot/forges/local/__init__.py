"""The local forge: repositories on disk, for the demo, for tests and for trying Scenarist without an account.

Its deliveries have GitHub's form."""
