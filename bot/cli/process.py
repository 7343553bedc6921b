"""What commands that work for a while need first: a log, and a working sandbox."""

import logging
import sys

from bot.config.settings import Settings
from gherkin.errors import ScenaristError
from runners.sandbox.bubblewrap import available


class SandboxRequired(ScenaristError):
    """Bubblewrap is missing or does not work here, and the operator did not allow runs without it."""

    code = "SCN-7005"
    next_step = "Install Debian's bubblewrap package, or set SCENARIST_UNSAFE_NO_SANDBOX=1; each pull request then says so."


def start_logging() -> None:
    """Log warnings, and the bot's own information, to standard error."""
    logging.basicConfig(
        level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr
    )
    logging.getLogger("bot").setLevel(logging.INFO)


def require_sandbox(settings: Settings) -> None:
    """Raise `SandboxRequired` when commands cannot be isolated here and the settings demand it."""
    problem = None if settings.unsafe_no_sandbox else available()
    if problem:
        raise SandboxRequired(problem)
