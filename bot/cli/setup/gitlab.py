"""`scenarist setup gitlab`."""

import contextlib
import json
import os
import secrets
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from bot.cli.options import AsJson
from bot.cli.repository.onboard import begin_onboarding, onboarding_text
from bot.cli.setup.settings_file import next_steps, settings_text, write_private
from bot.config.settings import Settings, SettingsInvalid, load_settings
from bot.forges.gitlab.installation import DEVELOPER, MAINTAINER, ROLES, SCOPES, Installation
from gherkin.errors import ScenaristError
from runners.sandbox.scratch import make_state_folder

_VARIABLE = "SCENARIST_GITLAB_WEBHOOK_TOKEN"
_COLORS = ("1f75cb", "6699cc")


class TokenInsufficient(ScenaristError):
    """The bot's GitLab token lacks a scope or a role, or has expired."""

    code = "SCN-1005"
    next_step = (
        "Create a project or group access token with the role Developer and the scopes api and "
        "write_repository (docs/gitlab.md)."
    )


class HookRefused(ScenaristError):
    """The account is not allowed to create webhooks in the project."""

    code = "SCN-1006"
    next_step = (
        "Name the variable that holds a maintainer's token with --as-env, or make the webhook by hand "
        "(docs/gitlab.md)."
    )


def gitlab(
    projects: Annotated[list[str], typer.Argument(help="GROUP/NAME, one or several.")],
    url: Annotated[
        str, typer.Option(help="Where GitLab reaches the web app; SCENARIST_PUBLIC_URL if not given.")
    ] = "",
    push: Annotated[bool, typer.Option(help="Also receive pushes, for `auto_rebase`.")] = True,
    as_env: Annotated[
        str,
        typer.Option(
            help="The environment variable with a maintainer's token, for the webhook and the labels alone."
        ),
    ] = "",
    onboard: Annotated[
        bool, typer.Option(help="Also have the workers propose a `.scenarist.yml` in a merge request.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Check the token, and make the labels and the webhook of GitLab projects.

    It can be run again; it then updates what exists.
    """
    settings = load_settings()
    address = url or settings.public_url
    if not address:
        raise SettingsInvalid("SCENARIST_PUBLIC_URL is not set, and --url is not given.")
    own = Installation(settings.gitlab_url, _token(settings))
    user, said = _checked(own)
    helper = Installation(settings.gitlab_url, _named(as_env)) if as_env else own
    secret, file = _secret(settings)
    done = []
    for project in projects:
        done.append(_set_up(settings, project, address, own, helper, user, secret, push))
        if onboard:
            done[-1]["onboarding"] = onboarding_text(begin_onboarding(settings, "gitlab", project))
    if as_json:
        result = {"token": said, "settings": str(file or ""), "projects": done}
        typer.echo(json.dumps(result, indent=2, ensure_ascii=False))
        return
    typer.echo(said)
    for each in done:
        typer.echo("\n".join(_lines(each)))
    if file is not None:
        typer.echo(f"The hook's secret token is in {file}.")
    typer.echo(f"\n{next_steps(settings_file=file)}")


def _lines(done: dict[str, Any]) -> list[str]:
    """Return what was done for one project, for a terminal."""
    made = ", ".join(done["labels_made"]) or "none"
    hook = "made" if done["webhook_new"] else "brought up to date"
    lines = [
        f"{done['project']}: role {done['role']}; labels made: {made};",
        f"  webhook {hook}: {done['webhook']}",
    ]
    return [*lines, f"  onboarding: {done['onboarding']}"] if "onboarding" in done else lines


def _set_up(
    settings: Settings,
    project: str,
    address: str,
    own: Installation,
    helper: Installation,
    user: int,
    secret: str,
    push: bool,
) -> dict[str, Any]:
    level = own.level(project, user)
    if level < DEVELOPER:
        role = ROLES.get(level, "none")
        raise TokenInsufficient(f"The bot's role in {project} is {role}; it needs Developer.")
    if helper.level(project, helper.token().user) < MAINTAINER:
        raise HookRefused(f"Only a maintainer of {project} may make its webhook.")
    labels = (
        (settings.trigger_label, _COLORS[0], "Scenarist implements this issue."),
        (settings.spec_label, _COLORS[1], "Scenarist writes scenarios and waits for an approval."),
    )
    made = helper.make_labels(project, labels)
    hook = f"{address.rstrip('/')}/webhooks/gitlab"
    signing = settings.gitlab_signing_token.get_secret_value()
    new = helper.make_hook(project, hook, token=secret, signing_token=signing, push=push)
    return {
        "project": project,
        "role": ROLES.get(level, str(level)),
        "labels_made": made,
        "webhook": hook,
        "webhook_new": new,
    }


def _checked(own: Installation) -> tuple[int, str]:
    """Return the bot's account, and a sentence on its token, if that is good enough."""
    token = own.token()
    left = token.days_left(datetime.now(UTC).date())
    if token.missing:
        raise TokenInsufficient(
            f"The token of {token.login} lacks {', '.join(token.missing)}; it needs {', '.join(SCOPES)}."
        )
    until = "never expires" if left is None else f"expires in {left} days"
    return token.user, f"The token of {token.login} has its scopes and {until}."


def _token(settings: Settings) -> str:
    token = settings.gitlab_token.get_secret_value()
    if not token:
        raise SettingsInvalid("SCENARIST_GITLAB_TOKEN is not set.")
    return token


def _named(variable: str) -> str:
    value = os.environ.get(variable, "")
    if not value:
        raise SettingsInvalid(f"{variable}, which --as-env names, is not set.")
    return value


def _secret(settings: Settings) -> tuple[str, Path | None]:
    """Return the hook's secret token, and the file that holds it where no setting does.

    The file is made where it is missing, so that another project gets the same token.
    """
    known = settings.gitlab_webhook_token.get_secret_value()
    if known or settings.gitlab_signing_token.get_secret_value():
        return known, None
    make_state_folder(settings.state_dir)
    file = settings.state_dir.resolve() / "gitlab" / "settings.env"
    with contextlib.suppress(FileExistsError):
        write_private(file, settings_text({_VARIABLE: secrets.token_urlsafe(32)}))
    name, _, value = file.read_text(encoding="utf-8").strip().partition("=")
    if name != _VARIABLE or not value:
        raise SettingsInvalid(f"{file} does not hold {_VARIABLE}.")
    return value, file
