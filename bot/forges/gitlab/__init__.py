"""GitLab: its webhooks read into neutral events, its REST API behind the `Forge` protocol.

Self-managed and gitlab.com, with a project, group or personal access token."""
