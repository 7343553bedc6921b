"""The specification, pure: stories, features, steps and domain language.

Nothing in here touches the network, a process or a forge; nothing imports `runners` or `bot`."""
