"""GitHub's REST API behind the `Forge` protocol, with the credentials of an App or of a job's token.

`webhooks/` reads what GitHub sends."""
