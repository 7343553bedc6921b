"""The receivers of the forges that the bot knows, by name."""

from bot.config.settings import Settings
from bot.forges.github.webhooks.receiver import GitHubReceiver
from bot.forges.gitlab.webhooks.receiver import GitLabReceiver
from bot.forges.receiver import Receiver


def receivers(settings: Settings) -> dict[str, Receiver]:
    """Return each forge's receiver with the secret that the settings hold for it."""
    labels = (settings.trigger_label, settings.spec_label)
    return {
        "github": GitHubReceiver(labels, settings.github_webhook_secret.get_secret_value().encode()),
        "gitlab": GitLabReceiver(
            labels,
            settings.gitlab_webhook_token.get_secret_value().encode(),
            settings.gitlab_signing_token.get_secret_value(),
        ),
        # The local forge sends what GitHub sends.
        "local": GitHubReceiver(labels, settings.local_webhook_secret.get_secret_value().encode()),
    }
