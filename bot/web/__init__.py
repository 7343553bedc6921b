"""The web process: webhooks, health and pages.

It stores a delivery before it answers it, and holds no business logic."""
