"""Commands that prepare a project on a forge for the bot.

One file for each forge."""

from bot.cli.lazy import Lazy, lazy_group

setup = lazy_group(
    "setup",
    "Prepare projects on a forge.",
    {
        "github": Lazy(
            "bot.cli.setup.github:github",
            "Make a GitHub App for this bot: key, secrets and settings, an install link, a test delivery.",
        ),
        "gitlab": Lazy(
            "bot.cli.setup.gitlab:gitlab",
            "Check the token, and make the labels and the webhook of GitLab projects.",
        ),
    },
)
