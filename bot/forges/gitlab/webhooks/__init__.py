"""GitLab's webhooks read into neutral events.

Pure: no request is made here; `bot/forges/gitlab` makes them."""
