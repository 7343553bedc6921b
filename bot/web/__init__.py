"""The web process: webhooks, health and pages.

It answers deliveries after storing them and holds no business logic."""
