"""The specification, pure: stories, features, steps and domain language.

Nothing here uses the network, a process or a forge, or imports `runners` or `bot`."""
