"""Check for a working sandbox before a command starts longer work."""

from bot.config.settings import Settings
from gherkin.errors import ScenaristError
from runners.sandbox.availability import available, remedy

_WITHOUT = "Or set SCENARIST_UNSAFE_NO_SANDBOX=1 to go without; each pull request then says so."


class SandboxRequired(ScenaristError):
    """Bubblewrap is missing or does not work here, and the operator did not allow runs without it."""

    code = "SCN-7005"
    next_step = f"Install Debian's bubblewrap package, and allow user namespaces. {_WITHOUT}"


def require_sandbox(settings: Settings) -> None:
    """Raise `SandboxRequired` when commands cannot be isolated here and the settings demand it."""
    problem = None if settings.unsafe_no_sandbox else available()
    if problem:
        raise SandboxRequired(f"{problem[0].upper()}{problem[1:]}.", f"{remedy()} {_WITHOUT}")
