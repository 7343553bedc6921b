"""`scenarist action`: one event's whole run in this process, on a GitHub Actions runner of one's own.

The same phases as everywhere, without server and broker; the log lives in a SQLite file of the job.
https://docs.github.com/en/actions/reference/workflows-and-actions/variables
"""

import os
from collections.abc import MutableMapping
from pathlib import Path

import typer
from pydantic import SecretStr

from bot.cli.process import start_logging
from bot.config.settings import Settings, load_settings
from bot.forges.events import BaseMoved, CiFinished, Ignored, ReviewCommented
from bot.forges.github.receiver import parse
from bot.forges.receiver import PayloadInvalid
from bot.forges.registry.adapters import Forges
from bot.intake.commands import StartRun, decide
from bot.log.state import RunState
from bot.report.poster import StatusPoster
from bot.report.reporter import Reporter
from bot.storage.database import migrate
from bot.storage.store import Store, open_store
from bot.worker.inline import drive, inline_driver
from bot.worker.worker import make_reporter
from gherkin.errors import ScenaristError
from runners.contract.job import FEATURE
from runners.sandbox.scratch import make_state_folder

_REQUIRED = ("GITHUB_EVENT_NAME", "GITHUB_EVENT_PATH", "GITHUB_RUN_ID")


class NotInAction(ScenaristError):
    """The variables of a GitHub Actions job are missing."""

    code = "SCN-7006"
    next_step = (
        "Run it as a step of a workflow, as `.github/workflows/agent.yml` does, with GITHUB_TOKEN in its env."
    )


def action() -> None:
    """Do one event's whole run in this process, as a CI job.

    The GitHub Actions workflow calls it.
    """
    start_logging()
    raise typer.Exit(run_action(load_settings(), os.environ))


def run_action(settings: Settings, environ: MutableMapping[str, str]) -> int:
    """Handle the job's event; returns the exit status: 0 for a pull request or nothing to do, else 1.

    The token is taken out of `environ`, so that no child process inherits it.
    """
    token = environ.pop("GITHUB_TOKEN", "") or settings.github_token.get_secret_value()
    environ.pop("SCENARIST_GITHUB_TOKEN", None)
    missing = [name for name in _REQUIRED if not environ.get(name)] + ([] if token else ["GITHUB_TOKEN"])
    if missing:
        raise NotInAction(f"{', '.join(missing)} is not set.")
    settings = _settings(settings, environ, token)
    make_state_folder(settings.state_dir)
    store = open_store(settings.database)
    migrate(store.engine)
    forges = Forges(settings, store)
    try:
        body = Path(environ["GITHUB_EVENT_PATH"]).read_bytes()
        event = parse(environ["GITHUB_EVENT_NAME"], body, settings.trigger_label)
    except (OSError, PayloadInvalid) as error:
        raise NotInAction(f"The job's event cannot be read: {error}.") from None
    if isinstance(event, ReviewCommented) and event.review is not None:
        # Each comment of a review is an event, and a job, of its own; so is the review, which has them all.
        event = Ignored(reason="the comment is part of a review, whose own event is handled")
    if isinstance(event, CiFinished | BaseMoved):
        # What was tried before is not known here, so nothing would bound the runs.
        event = Ignored(reason="a job answers people only")
    request = f"{environ['GITHUB_RUN_ID']}-{environ.get('GITHUB_RUN_ATTEMPT', '1')}"
    decision = event if isinstance(event, Ignored) else decide(event, forges("github"), request)
    if not isinstance(decision, StartRun):
        # A job cannot cancel another one, nor talk to it: the workflow's concurrency group is there for that.
        reason = getattr(decision, "reason", "comments reach runs of the App alone")
        _summary(environ, f"Scenarist had nothing to do: {reason}.\n")
        return 0
    return _run(settings, environ, store, forges, decision)


def _run(
    settings: Settings,
    environ: MutableMapping[str, str],
    store: Store,
    forges: Forges,
    start: StartRun,
) -> int:
    run_id = store.request_run(start.request, target=start.target, exclusive=False)
    if run_id is None:
        _summary(environ, "Scenarist had nothing to do: this was requested before.\n")
        return 0
    reporter = make_reporter(settings, comments=False)
    poster = StatusPoster(store, forges, reporter)
    poster.post(run_id)
    driver = inline_driver(
        settings,
        store,
        forges,
        reporter,
        worker=f"action {environ['GITHUB_RUN_ID']}",
        changed=lambda changed, _following: poster.post(changed),
        forgetful=True,
    )
    state = drive(store, driver, run_id)
    _summary(environ, _text(reporter, store, run_id, state))
    return 0 if state.status == "done" else 1


def _settings(settings: Settings, environ: MutableMapping[str, str], token: str) -> Settings:
    """The job's own addresses and token; its state lies in the job's temporary folder."""
    server = environ.get("GITHUB_SERVER_URL", "https://github.com").rstrip("/")
    return settings.model_copy(
        update={
            "github_token": SecretStr(token),
            "github_api_url": environ.get("GITHUB_API_URL", settings.github_api_url),
            "github_git_url": server,
            "state_dir": Path(environ.get("RUNNER_TEMP", ".")) / "scenarist",
            "database_url": "",
            "public_url": "",
        }
    )


def _text(reporter: Reporter, store: Store, run_id: str, state: RunState) -> str:
    feature = (store.artifact(run_id, FEATURE) or b"").decode(errors="replace")
    return reporter.status_text(run_id, state, feature)


def _summary(environ: MutableMapping[str, str], text: str) -> None:
    """Add to the job's summary, or print where there is none."""
    target = environ.get("GITHUB_STEP_SUMMARY")
    if target:
        with Path(target).open("a", encoding="utf-8") as out:
            out.write(text)
    else:
        print(text)
