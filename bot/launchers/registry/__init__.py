"""All launchers, and which of them a deployment needs."""
