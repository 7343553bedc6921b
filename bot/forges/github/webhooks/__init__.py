"""GitHub's webhooks read into neutral events.

Pure: no request is made here; `bot/forges/github` makes them."""
