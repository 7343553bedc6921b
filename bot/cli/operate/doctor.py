"""`scenarist doctor`: check that this machine has all it needs, and say how to correct each problem."""

import json
import platform
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime

import sqlalchemy as sa
import typer

from bot import __version__
from bot.cli.operate.cluster import NAME as CLUSTER
from bot.cli.operate.cluster import check_cluster
from bot.cli.operate.workflow_starts import NAME as WORKFLOW_STARTS
from bot.cli.operate.workflow_starts import check_workflow_starts
from bot.cli.options import ALL_QUEUES, QUEUE_NAMES, AsJson, Queues, queue_names
from bot.config.limits import database_urls, load_limits
from bot.config.models import load_models
from bot.config.settings import Settings, load_settings
from bot.installation import CODE, NEXT_STEP, SAID, overwritten
from bot.launchers.registry.launchers import launches_at
from bot.storage.database import connect, is_current
from bot.telemetry.health import (
    CheckResult,
    HealthState,
    broker_answers,
    disk_has_room,
    ping,
    queue_moves,
    runs_progress,
)
from gherkin.errors import ScenaristError
from runners.models.roster import Roster
from runners.sandbox.availability import available, remedy
from runners.sandbox.scratch import make_state_folder

_MIN_GIT = (2, 30)
_SOON_DAYS = 14  # before a token expires

_AFTER_FAILURE = "correct what is marked ✘, then run `scenarist doctor` again."
_AFTER_SUCCESS = "`scenarist up`, then set the label `agent:implement` on an issue."

_MARKS: dict[HealthState, str] = {"ok": "✔", "warning": "!", "failed": "✘"}


class InstallationOverwritten(ScenaristError):
    """Another package (gherkin-official, which pytest-bdd brings) is installed over parts of Scenarist."""

    code = CODE
    next_step = NEXT_STEP


def doctor(queues: Queues = ALL_QUEUES, as_json: AsJson = False) -> None:
    """Check that this machine has all it needs.

    It says how to correct each problem. Exit status 1 if a check fails.
    """
    found = []
    for finding in examine(load_settings(), queue_names(queues)):
        found.append(finding)
        if not as_json:
            typer.echo(finding_text(finding))
    failed = any(finding.state == "failed" for finding in found)
    if as_json:
        typer.echo(json.dumps([asdict(finding) for finding in found], indent=2, ensure_ascii=False))
    else:
        typer.echo(f"\nNext: {_AFTER_FAILURE if failed else _AFTER_SUCCESS}")
    raise typer.Exit(1 if failed else 0)


def examine(settings: Settings, queues: Sequence[str] = QUEUE_NAMES) -> Iterator[CheckResult]:
    """Check everything that a machine with workers of `queues` needs. Nothing is changed, except that a
    missing state folder is made.
    """
    runs, forge = "runs" in queues, not {"intake", "publish"}.isdisjoint(queues)
    looks: Sequence[tuple[str, bool, Callable[[Settings], CheckResult]]] = (
        ("installation", True, _installation),
        ("database", True, _database),
        ("broker", True, _broker),
        ("queue", True, _queue),
        ("runs", True, _progress),
        ("disk", True, lambda settings: disk_has_room(settings.state_dir)),
        ("git", True, _git),
        ("sandbox", runs, _sandbox),
        ("limits file", runs, _limits),
        ("models", runs, _models),
        (CLUSTER, launches_at(settings, "kubernetes"), check_cluster),
        (WORKFLOW_STARTS, launches_at(settings, "actions"), check_workflow_starts),
        ("GitHub", forge, _github),
        ("GitLab", forge, _gitlab),
        ("public URL", forge, _public_url),
    )
    for name, needed, look in looks:
        try:
            if needed:
                yield look(settings)
        except ScenaristError as error:
            yield CheckResult(name, "failed", f"{error.code}: {error.message}", error.next_step)
        except OSError as error:
            where = f" ({error.filename})" if error.filename else ""
            yield CheckResult(name, "failed", f"{error.strerror or error}{where}.", _UNWRITABLE)


_UNWRITABLE = "Look at the permissions, and at SCENARIST_STATE_DIR."


def _installation(_settings: Settings) -> CheckResult:
    if overwritten():
        raise InstallationOverwritten(SAID)
    return CheckResult(
        "installation", "ok", f"Scenarist {__version__} on Python {platform.python_version()}."
    )


def _database(settings: Settings) -> CheckResult:
    shown = sa.make_url(settings.database).render_as_string(hide_password=True)
    make_state_folder(settings.state_dir)
    engine = connect(settings.database)
    try:
        current = is_current(engine)
    except sa.exc.SQLAlchemyError as error:
        todo = "Start it, or correct SCENARIST_DATABASE_URL."
        return CheckResult("database", "failed", f"{shown} does not answer ({type(error).__name__}).", todo)
    finally:
        engine.dispose()
    if not current:
        return CheckResult(
            "database", "failed", f"{shown} has an older schema, or none.", "Run `scenarist migrate`."
        )
    return CheckResult("database", "ok", f"{shown} answers, with the newest schema.")


def _broker(settings: Settings) -> CheckResult:
    own = settings.state_dir.resolve() / "redis" / "redis.sock"
    if own.is_socket() and ping(f"unix://{own}") is None:
        return CheckResult("broker", "ok", "The Redis of `scenarist up` answers.")
    found = broker_answers(settings.broker_url)
    # `scenarist up` needs no Redis that runs already.
    return replace(found, state="warning") if found.state == "failed" else found


def _queue(settings: Settings) -> CheckResult:
    return _of_tables("queue", settings, queue_moves)


def _progress(settings: Settings) -> CheckResult:
    return _of_tables("runs", settings, runs_progress)


def _of_tables(
    name: str, settings: Settings, look: Callable[[sa.Engine, Settings], CheckResult]
) -> CheckResult:
    """Return what `look` finds in the tables; before they are there, nothing waits."""
    engine = connect(settings.database)
    try:
        if not is_current(engine):
            return CheckResult(name, "ok", "There are no runs yet.")
        found = look(engine, settings)
    except sa.exc.SQLAlchemyError as error:
        return CheckResult(name, "warning", f"The database does not answer ({type(error).__name__}).")
    finally:
        engine.dispose()
    # Late work is a reason to look at the workers; it is no fault of this machine.
    return replace(found, state="warning") if found.state == "failed" else found


def _git(settings: Settings) -> CheckResult:
    tool = shutil.which("git")
    said = (
        subprocess.run([tool, "--version"], capture_output=True, text=True, check=False).stdout
        if tool
        else ""
    )
    version = re.search(r"(\d+)\.(\d+)", said)
    if version is None or (int(version[1]), int(version[2])) < _MIN_GIT:
        return CheckResult("git", "failed", said.strip() or "There is no git.", "Install git 2.30 or newer.")
    return CheckResult("git", "ok", f"{said.strip()}.")


def _sandbox(settings: Settings) -> CheckResult:
    problem = available()
    if problem is None:
        return CheckResult("sandbox", "ok", "bubblewrap works.")
    if settings.unsafe_no_sandbox:
        return CheckResult(
            "sandbox", "warning", f"{problem} Commands run unconfined, and each pull request says so."
        )
    todo = (
        f"{remedy()} Only `runs` workers need it: `scenarist doctor --queues intake,publish` leaves it out."
    )
    return CheckResult("sandbox", "failed", problem, todo)


def _limits(settings: Settings) -> CheckResult:
    if settings.limits_file is None:
        return CheckResult("limits file", "ok", "None: nothing leaves the workspace.")
    urls = database_urls(load_limits(settings.limits_file))
    return CheckResult(
        "limits file", "ok", f"{settings.limits_file} is valid; databases: {', '.join(urls) or 'none'}."
    )


def _models(settings: Settings) -> CheckResult:
    config, keys = load_models(settings)
    roster = Roster(config, settings.runtime, keys, settings.state_dir / "profiles")
    said = []
    for role in ("analyst", "driver"):
        for runtime in roster.levels(role):
            engine = roster.of(runtime)
            said.append(f"{role}: {engine.model.name} ({runtime})")
            if engine.profile is not None and not engine.profile.called:
                todo = (
                    "Serve it with the tool parser of its family: "
                    "`scenarist models serve MODEL --print` shows the flags."
                )
                return CheckResult(
                    "models", "warning", f"{engine.model.name} made no tool call when asked for one.", todo
                )
    return CheckResult("models", "ok", f"{'; '.join(said)}.")


def _github(settings: Settings) -> CheckResult:
    from bot.forges.github.app import app_of
    from bot.forges.github.manifest import EVENTS, PERMISSIONS

    if not settings.github_app_id:
        if settings.gitlab_token.get_secret_value():
            return CheckResult("GitHub", "ok", "No App is set: GitHub is not used.")
        return CheckResult("GitHub", "warning", "No App is set.", "`scenarist setup github` makes one.")
    if not settings.github_webhook_secret.get_secret_value():
        todo = "Set SCENARIST_GITHUB_WEBHOOK_SECRET on the web app: without it no webhook is accepted."
        return CheckResult("GitHub", "failed", "The webhook secret is not set.", todo)
    app = app_of(settings)
    card, hook = app.card(), app.hook()
    granted = card.get("permissions") or {}
    missing = [
        f"{name}: {level}"
        for name, level in PERMISSIONS.items()
        if granted.get(name) not in (level, "write", "admin")
    ]
    unheard = sorted(EVENTS - set(card.get("events") or ()))
    if missing:
        todo = "Grant them on the App's page, and accept the change on each installation."
        return CheckResult("GitHub", "failed", f"The App lacks permissions: {', '.join(missing)}.", todo)
    if not granted.get("actions"):
        todo = "Grant Actions: read on the App's page, so that repairs of a failed CI see its logs."
        return CheckResult("GitHub", "warning", "The App may not read the logs of Actions.", todo)
    if unheard:
        todo = "Subscribe to them on the App's page: otherwise the bot does not receive them."
        return CheckResult("GitHub", "warning", f"The App is not subscribed to: {', '.join(unheard)}.", todo)
    if hook.get("content_type") != "json":
        todo = "Set the content type of the App's webhook to application/json."
        return CheckResult("GitHub", "failed", "The App's webhook sends forms and not JSON.", todo)
    address = f"{settings.public_url.rstrip('/')}/webhooks/github"
    if settings.public_url and hook.get("url") != address:
        todo = f"Set the webhook's URL on the App's page to {address}, or correct SCENARIST_PUBLIC_URL."
        return CheckResult(
            "GitHub", "warning", f"The App's webhook goes to {hook.get('url') or 'nowhere'}.", todo
        )
    last = app.last_delivery()
    if last is not None and last.failed:
        todo = f"Check the proxy in front of the web app; the App's page lists the deliveries ({address})."
        return CheckResult("GitHub", "warning", f"The newest delivery failed: {last.status}.", todo)
    return CheckResult("GitHub", "ok", f"The App {card.get('slug')} has its permissions and events.")


def _gitlab(settings: Settings) -> CheckResult:
    from bot.forges.gitlab.installation import SCOPES, Installation

    name, token = "GitLab", settings.gitlab_token.get_secret_value()
    if not token:
        return CheckResult(name, "ok", "No token is set: GitLab is not used.")
    secrets = (settings.gitlab_webhook_token, settings.gitlab_signing_token)
    if not any(each.get_secret_value() for each in secrets):
        todo = "`scenarist setup gitlab PROJECT` makes the webhook and prints its secret token."
        return CheckResult(name, "failed", "The webhook's secret token is not set.", todo)
    found = Installation(settings.gitlab_url, token).token()
    left = found.days_left(datetime.now(UTC).date())
    if found.missing:
        todo = f"Create a token with the scopes {' and '.join(SCOPES)}."
        return CheckResult(
            name, "failed", f"The token of {found.login} lacks {', '.join(found.missing)}.", todo
        )
    if left is not None and left <= _SOON_DAYS:
        todo = "Rotate it, and set SCENARIST_GITLAB_TOKEN to the new one."
        return CheckResult(name, "warning", f"The token of {found.login} expires in {left} days.", todo)
    return CheckResult(name, "ok", f"The token of {found.login} on {settings.gitlab_url} has its scopes.")


def _public_url(settings: Settings) -> CheckResult:
    import httpx

    if not settings.public_url:
        todo = "Set SCENARIST_PUBLIC_URL, so that comments link to the pages of runs."
        return CheckResult("public URL", "warning", "It is not set.", todo)
    try:
        answer = httpx.get(f"{settings.public_url.rstrip('/')}/healthz", timeout=10, follow_redirects=True)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        said = f"{settings.public_url} does not answer ({type(error).__name__})."
        return CheckResult(
            "public URL",
            "warning",
            said,
            "Start `scenarist serve` or `scenarist up`; check the proxy in front of it.",
        )
    if not answer.is_success:
        said = f"{settings.public_url}/healthz answers {answer.status_code}."
        return CheckResult(
            "public URL",
            "warning",
            said,
            "Something else answers there: check the proxy in front of the web app.",
        )
    return CheckResult("public URL", "ok", f"{settings.public_url} answers.")


def finding_text(finding: CheckResult) -> str:
    """Return one or two lines for a terminal."""
    line = f"{_MARKS[finding.state]} {finding.name}: {finding.said}"
    return f"{line}\n  {finding.todo}" if finding.todo else line
