"""GitHub: its webhooks read into neutral events, its REST API behind the `Forge` protocol.

An App or a job's token gives the credentials."""
