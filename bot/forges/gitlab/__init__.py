"""GitLab's REST API behind the `Forge` protocol, with a project, group or personal access token.

Self-managed and gitlab.com. `webhooks/` reads what GitLab sends."""
