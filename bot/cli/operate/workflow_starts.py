"""The checks of `scenarist doctor` for runs that are done in jobs of GitHub Actions."""

from bot.config.settings import Settings
from bot.forges.github.app import app_of
from bot.remote.tokens import Signer
from bot.telemetry.health import CheckResult

NAME = "GitHub Actions"
_RIGHT = ("actions", "write")


def check_workflow_starts(settings: Settings) -> CheckResult:
    """Check the address and the secret that jobs need, and that the App may start workflows where it is
    installed.

    Raises `SecretTooShort`, `SettingsInvalid` and the forge's errors.
    """
    Signer(settings.runner_secret.get_secret_value())
    if not settings.public_url:
        todo = "Set SCENARIST_PUBLIC_URL to the web app's address, which jobs reach by HTTPS."
        return CheckResult(NAME, "failed", "SCENARIST_PUBLIC_URL is not set.", todo)
    app = app_of(settings)
    name, level = _RIGHT
    if (app.card().get("permissions") or {}).get(name) != level:
        todo = "Grant Actions: write on the App's page, and accept the change on each installation."
        return CheckResult(NAME, "failed", "The App may not start workflows.", todo)
    # A permission that was granted later counts for an installation when its owner has accepted it.
    installed = app.installations()
    lacking = [each.account for each in installed if each.permissions.get(name) != level]
    if lacking:
        todo = "Let their owners accept the App's new permissions."
        return CheckResult(
            NAME, "failed", f"The App may not start workflows of: {', '.join(lacking[:10])}.", todo
        )
    if not installed:
        return CheckResult(NAME, "warning", "The App is not installed anywhere.", "Install it.")
    return CheckResult(NAME, "ok", "The App may start workflows wherever it is installed.")
