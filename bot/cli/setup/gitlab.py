"""`scenarist setup gitlab`."""

import os
import secrets
from datetime import UTC, datetime
from typing import Annotated

import typer

from bot.cli.repository.onboard import request_onboarding
from bot.config.settings import Settings, SettingsInvalid, load_settings
from bot.forges.gitlab.installation import DEVELOPER, MAINTAINER, ROLES, SCOPES, Installation
from gherkin.errors import ScenaristError

_COLORS = ("1f75cb", "6699cc")


class TokenInsufficient(ScenaristError):
    """The bot's GitLab token lacks a scope or a role, or has expired."""

    code = "SCN-1005"
    next_step = (
        "Create a project or group access token with the role Developer and the scopes api and "
        "write_repository (docs/gitlab.md)."
    )


class HookRefused(ScenaristError):
    """The account may not make webhooks in the project."""

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
    push: Annotated[bool, typer.Option(help="Also tell of pushes, for `auto_rebase`.")] = True,
    as_env: Annotated[
        str,
        typer.Option(
            help="The environment variable with a maintainer's token, for the webhook and the labels alone."
        ),
    ] = "",
    onboard: Annotated[
        bool, typer.Option(help="Also have the workers propose a `.scenarist.yml` in a merge request.")
    ] = False,
) -> None:
    """Check the token, and make the labels and the webhook of GitLab projects.

    It may be repeated: what is there is brought up to date.
    """
    settings = load_settings()
    address = url or settings.public_url
    if not address:
        raise SettingsInvalid("SCENARIST_PUBLIC_URL is not set, and --url is not given.")
    own = Installation(settings.gitlab_url, _token(settings))
    user = _checked(own)
    helper = Installation(settings.gitlab_url, _named(as_env)) if as_env else own
    secret, new = _secret(settings)
    for project in projects:
        _set_up(settings, project, address, own, helper, user, secret, push)
        if onboard:
            typer.echo(f"  onboarding: {request_onboarding(settings, 'gitlab', project)}")
    if new:
        typer.echo("\nGive the bot the hook's secret token:\n")
        typer.echo(f"    export SCENARIST_GITLAB_WEBHOOK_TOKEN={secret}")


def _set_up(
    settings: Settings,
    project: str,
    address: str,
    own: Installation,
    helper: Installation,
    user: int,
    secret: str,
    push: bool,
) -> None:
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
    typer.echo(f"{project}: role {ROLES.get(level, level)}; labels made: {', '.join(made) or 'none'};")
    typer.echo(f"  webhook {'made' if new else 'brought up to date'}: {hook}")


def _checked(own: Installation) -> int:
    """Return the bot's account, if its token is good enough."""
    token = own.token()
    left = token.days_left(datetime.now(UTC).date())
    if token.missing:
        raise TokenInsufficient(
            f"The token of {token.login} lacks {', '.join(token.missing)}; it needs {', '.join(SCOPES)}."
        )
    until = "never expires" if left is None else f"expires in {left} days"
    typer.echo(f"The token of {token.login} has its scopes and {until}.")
    return token.user


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


def _secret(settings: Settings) -> tuple[str, bool]:
    """Return the hook's secret token, and whether it was made now."""
    known = settings.gitlab_webhook_token.get_secret_value()
    if known or settings.gitlab_signing_token.get_secret_value():
        return known, False
    return secrets.token_urlsafe(32), True
