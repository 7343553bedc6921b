"""`scenarist action`: do one event's whole run in this process, as a job of GitHub Actions or GitLab CI.

The phases are the same as everywhere, without server and broker. The log is in a SQLite file of the job.
"""

import os
import signal
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from functools import partial
from types import FrameType

import typer
from rich.console import Console

from bot.cli.operate.ci_job import CurrentCiJob, ci_job
from bot.cli.operate.launched_job import launched_job, run_launched
from bot.config.settings import Settings, load_settings
from bot.forges.events import BaseMoved, CiFinished, Ignored, Installed, Reopened, Reverted
from bot.forges.forge import Forge, Repo
from bot.forges.registry.adapters import Forges
from bot.intake.decisions.work_orders import StartRun, decide
from bot.log.events import Controlled, RunRequested
from bot.log.state import RunState, fold
from bot.report.poster import StatusPoster
from bot.report.record import with_record
from bot.report.reporter import Reporter
from bot.storage.database import migrate
from bot.storage.store import Store, open_store
from bot.telemetry.logs import start_logging
from bot.worker.inline import drive_shown, inline_driver
from bot.worker.worker import make_reporter
from runners.contract.job import FEATURE
from runners.sandbox.scratch import make_state_folder

_STOPPED = "The CI job that did this was stopped: somebody cancelled it, or its time or its runner ended."


def action() -> None:
    """Handle one event in this process, as a CI job.

    Jobs of GitHub Actions and of GitLab CI call it. In a job that the bot has started, it does the phases of
    that run, and the bot does the rest.
    """
    settings = load_settings()
    start_logging(settings)
    launched = launched_job(os.environ)
    if launched is not None:
        raise typer.Exit(run_launched(settings, launched, os.environ))
    raise typer.Exit(run_action(settings, os.environ))


def run_action(settings: Settings, environ: MutableMapping[str, str]) -> int:
    """Handle the job's event; returns the exit status: 0 for a pull request or nothing to do, else 1.

    The token is taken out of `environ`, so that no child process inherits it.
    """
    job = ci_job(settings, environ)
    make_state_folder(job.settings.state_dir)
    store = open_store(job.settings.database)
    migrate(store.engine)
    forges = Forges(job.settings, store)
    event = job.event
    if isinstance(event, CiFinished | BaseMoved | Installed | Reopened | Reverted):
        # What was tried before is not known here, so nothing would bound the runs.
        event = Ignored(reason="a job answers people only")
    decision = event if isinstance(event, Ignored) else decide(event, forges(job.forge), job.id)
    if not isinstance(decision, StartRun):
        # A job cannot cancel another one, nor talk to it: whoever starts jobs has to see to that.
        reason = getattr(decision, "reason", "only runs of a server receive comments")
        job.say(f"Scenarist had nothing to do: {reason}.\n")
        return 0
    return _run(job, store, forges, decision)


def _run(job: CurrentCiJob, store: Store, forges: Forges, start: StartRun) -> int:
    request = _with_history(start.request, forges(job.forge))
    run_id = store.request_run(request, target=start.target, exclusive=False)
    if run_id is None:
        job.say("Scenarist had nothing to do: this was requested before.\n")
        return 0
    reporter = make_reporter(job.settings, comments=False, page=job.url)
    poster = StatusPoster(store, forges, reporter)
    poster.post(run_id)
    driver = inline_driver(
        job.settings,
        store,
        forges,
        reporter,
        worker=f"action {job.id}",
        changed=lambda changed, _following: poster.post(changed),
        forgetful=True,
    )
    job.quote_output()
    try:
        with _interrupted_once():
            drive_shown(store, driver, run_id, Console(width=160), partial(_stop, store, poster, run_id))
    except KeyboardInterrupt:
        pass  # the run is cancelled, and its comment says so
    state = fold(store.entries(run_id))
    job.say(_text(reporter, store, run_id, state))
    job.give_outputs(run_id, state)
    return 0 if state.status == "done" else 1


@contextmanager
def _interrupted_once() -> Iterator[None]:
    """Make the first SIGINT or SIGTERM raise `KeyboardInterrupt`; what follows it is ignored.

    GitHub's runner sends SIGINT, SIGTERM after 7.5 s, and kills after another 2.5 s.
    https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-cancellation
    """

    def ignore(_number: int, _frame: FrameType | None) -> None:
        pass

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        for each in before:
            signal.signal(each, ignore)
        raise KeyboardInterrupt

    before = {each: signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)}
    for each in before:
        signal.signal(each, interrupt)
    yield
    for each, handler in before.items():
        signal.signal(each, handler)


def _stop(store: Store, poster: StatusPoster, run_id: str) -> None:
    """Cancel the run, because the job is being stopped, and say so at once: a few seconds are left."""
    if store.control(run_id, Controlled(control="cancel", by="", reason=_STOPPED)):
        poster.post(run_id)


def _with_history(request: RunRequested, forge: Forge) -> RunRequested:
    """Return the request of a revision with what its pull request says of the issue and earlier runs."""
    order = request.order
    if order.pull is None:
        return request
    repo = Repo(full_name=request.repo, installation=request.installation)
    order = with_record(order, forge.pull(repo, order.pull).body)
    return request.model_copy(update={"order": order, "order_sha256": order.digest})


def _text(reporter: Reporter, store: Store, run_id: str, state: RunState) -> str:
    feature = (store.artifact(run_id, FEATURE) or b"").decode(errors="replace")
    return reporter.status_text(run_id, state, feature)
