"""Commands that prepare a project on a forge for the bot.

One file for each forge."""

import typer

from bot.cli.lazy import Lazy, LazyGroup


class SetupCommands(LazyGroup):
    """The commands of `scenarist setup`."""

    table = {
        "github": Lazy(
            "bot.cli.setup.github:github",
            "Make a GitHub App for this bot: key, secrets and settings, an install link, a test delivery.",
        ),
        "gitlab": Lazy(
            "bot.cli.setup.gitlab:gitlab",
            "Check the token, and make the labels and the webhook of GitLab projects.",
        ),
    }


setup = typer.Typer(
    name="setup",
    cls=SetupCommands,
    help="Prepare projects on a forge.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


@setup.callback()
def _setup() -> None:
    """Prepare projects on a forge."""
