"""The receivers of the forges that the bot knows, by name."""

from bot.config.settings import Settings
from bot.forges.github.receiver import GitHubReceiver
from bot.forges.receiver import Receiver


def receivers(settings: Settings) -> dict[str, Receiver]:
    """Return each forge's receiver with the secret that the settings hold for it."""
    labels = (settings.trigger_label, settings.spec_label)
    return {
        "github": GitHubReceiver(labels, settings.github_webhook_secret.get_secret_value().encode()),
        # The local forge sends what GitHub sends.
        "local": GitHubReceiver(labels, settings.local_webhook_secret.get_secret_value().encode()),
    }
