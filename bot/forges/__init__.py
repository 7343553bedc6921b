"""Forges: the `Forge` and `Receiver` protocols, their neutral types, and a folder for each adapter.

Adapters translate and decide nothing."""
