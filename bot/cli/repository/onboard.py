"""`scenarist onboard`."""

import json
import re
from typing import Annotated

import typer

from bot.behaviours.onboarding import onboarding
from bot.cli.options import AsJson
from bot.config.settings import Settings, load_settings
from bot.storage.store import open_store


def onboard(
    repo: Annotated[str, typer.Argument(help="OWNER/NAME.")],
    forge: Annotated[str, typer.Option(help="github, gitlab or local.")] = "github",
    as_json: AsJson = False,
) -> None:
    """Have the workers look at a repository and open a pull request with a `.scenarist.yml`, once.

    GitHub starts this by itself when the App is installed. Nothing happens if such a pull
    request was closed, or if the repository has a configuration.
    """
    if not re.fullmatch(r"[\w.-]+(?:/[\w.-]+)+", repo):
        raise typer.BadParameter(f"{repo} is no repository: write OWNER/NAME", param_hint="REPO")
    if forge not in ("github", "gitlab", "local"):
        raise typer.BadParameter(f"{forge} is no forge", param_hint="--forge")
    run_id = begin_onboarding(load_settings(), forge, repo)
    typer.echo(json.dumps({"run": run_id}) if as_json else onboarding_text(run_id))


def begin_onboarding(settings: Settings, forge: str, repo: str) -> str | None:
    """Begin a run that looks at a repository; returns its id, or None where one is at it already."""
    request, target = onboarding(forge, repo, 0, "the operator")
    # Asked for by a person, it is a new request each time.
    request = request.model_copy(update={"key": ""})
    return open_store(settings.database).request_run(request, target=target, exclusive=True)


def onboarding_text(run_id: str | None) -> str:
    """Return what `begin_onboarding` did, in words."""
    return f"run {run_id}" if run_id else "A run is looking at the repository already."
