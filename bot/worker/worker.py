"""Make the parts of a worker process from the settings."""

import logging
import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence

from structlog.contextvars import bound_contextvars

from bot.config.limits import load_limits
from bot.config.settings import Settings
from bot.forges.registry.adapters import Forges
from bot.forges.registry.receivers import receivers
from bot.intake.deliveries import Deliveries
from bot.intake.handler import IntakeHandler
from bot.log.events import RUNNER_PHASES, Phase, RunRequested
from bot.phases.places import Places
from bot.phases.trusted import Trusted
from bot.report.poster import StatusPoster
from bot.report.reporter import Reporter
from bot.runs.control import control_run
from bot.runs.draining import Draining
from bot.runs.driver import Driver, PhaseHandler
from bot.runs.worker_identity import is_gone, is_here, worker_identity
from bot.runs.workflow import QUEUES, check
from bot.runs.workflow_file import load_workflow
from bot.storage.database import connect
from bot.storage.gauges import silent_runs
from bot.storage.store import Store
from bot.storage.usage import check_day
from bot.telemetry.watching import count_runs, shares_counts, trace_runs
from bot.worker.celery_app import WakeUps
from bot.worker.room import lacking
from bot.worker.waking import Waking
from gherkin.errors import ScenaristError
from runners.contract.operator_limits import Runner
from runners.counted import count
from runners.git.workspaces import Workspaces

log = logging.getLogger(__name__)

_SILENCE_S = 2.0
_MAX_MESSAGES = 100


class Worker:
    """The work of the Celery tasks in a worker of `queues`; `wake_ups` sends the wake-ups.

    It does the phases that run repository code only for runs that are done at `runner`; None means all runs.
    `place` is where this process is, and `holder` its name in the log; without one, it is the process's.
    """

    def __init__(
        self,
        settings: Settings,
        wake_ups: WakeUps,
        queues: Sequence[str],
        draining: Draining,
        *,
        runner: Runner | None = "celery",
        place: Runner = "celery",
        holder: str = "",
    ) -> None:
        graph = load_workflow(settings.workflow_file)
        check(graph)
        self._settings = settings
        self._wake_ups = wake_ups
        engine = connect(settings.database)
        if shares_counts():
            count_runs(engine, settings)
        trace_runs(engine)
        allowances = load_limits(settings.limits_file).allowances
        self._store, self._deliveries = Store(engine, allowances=allowances), Deliveries(engine)
        self._waking = Waking(self._store, wake_ups)
        self._workspaces = Workspaces(settings.state_dir)
        self._workspaces.sweep()
        self._ask_at = 0.0
        self._said_full = False
        self._silent_since: dict[tuple[str, int], float] = {}
        handlers: dict[Phase, PhaseHandler] = {}
        if "runs" in queues:
            # Only the worker that runs repository code loads what does so.
            from bot.worker.untrusted import untrusted_handlers

            handlers |= untrusted_handlers(
                settings, self._store, self._workspaces, self._store.all_open_runs, graph.runner
            )
        if "publish" in queues or "intake" in queues:
            forges = Forges(settings, self._store)
            reporter = make_reporter(settings)
            self._forges = forges
            self._poster = StatusPoster(self._store, forges, reporter, pace_seconds=settings.status_seconds)
            self._intake = IntakeHandler(
                self._store,
                self._deliveries,
                forges,
                receivers(settings),
                self._waking.started,
                self._waking.controlled,
                onboards=settings.onboarding,
            )
            if "publish" in queues:
                handlers |= trusted_handlers(settings, forges, self._workspaces, reporter, self._allowed)
        self._driver = Driver(
            self._store,
            handlers,
            worker=holder or worker_identity(),
            lease_seconds=settings.lease_seconds,
            retry_seconds=settings.retry_seconds,
            changed=self._waking.changed,
            sandboxed="runs" not in queues or not settings.unsafe_no_sandbox,
            draining=draining,
            graph=graph,
            # Celery starts another process in its place.
            abandon=lambda: os.kill(os.getpid(), signal.SIGKILL),
            runner=runner,
            place=place,
        )

    def _allowed(self, request: RunRequested, run_id: str) -> None:
        store = self._store
        check_day(store.engine, store.allowances, request, run_id, store.clock())

    def intake(self, ids: Sequence[str]) -> None:
        for delivery_id in ids:
            self._intake.handle(delivery_id)

    def advance(self, run_id: str, fence: int | None = None) -> bool:
        """Do the run's phases; with `fence`, as long as nobody else has worked on it since.

        Returns whether it could claim the run. A run that this machine has no room for is left to others, or
        to a later wake-up.
        """
        if fence is None and self._is_full(run_id):
            return False
        return self._driver.work(run_id, fence)

    def _is_full(self, run_id: str) -> bool:
        """Return whether the run's next phase has to wait, because this machine works on another run
        already.
        """
        if not (self._settings.spare_memory_mb or self._settings.most_load):
            return False
        found = self._store.status(run_id)
        if found is None or found[1] not in RUNNER_PHASES or not any(map(is_here, self._store.holders())):
            return False
        missing = lacking(self._settings)
        if missing and not self._said_full:
            log.info("further runs wait: %s", missing)
        self._said_full = bool(missing)
        return bool(missing)

    def control(self, run_id: str, control: str, by: str, phase: str | None) -> None:
        """Pause, resume, cancel or retry a run as a message asks; refusals are only logged."""
        try:
            control_run(self._store, run_id, control, by=by, where="by a message", phase=phase)
        except ScenaristError as error:
            log.warning("%s: %s", error.code, error.message)
        else:
            self._waking.controlled(run_id)

    def report(self, run_id: str) -> None:
        with bound_contextvars(run=run_id):
            self._poster.post(run_id)

    def reap(self) -> None:
        """Send the wake-ups again for all unfinished work that no worker has claimed."""
        if time.monotonic() >= self._ask_at:
            self._ask_at = time.monotonic() + self._settings.redeliver_seconds
            self._ask_again()
        ids = self._deliveries.due(_SILENCE_S)
        if ids:
            self._wake_ups.deliveries(ids)
        for run_id, phase in self._store.free_orphans(is_gone):
            log.warning("the worker of run %s has ended; another one continues it", run_id)
            self._wake_ups.run(run_id, phase)
        self._hand_over()
        # Runs may wait for hours, and each round of the reaper would add as many messages again. So a queue
        # is filled only up to `_MAX_MESSAGES` messages.
        for queue in set(QUEUES.values()):
            phases = [phase for phase, its in QUEUES.items() if its == queue]
            room = max(0, _MAX_MESSAGES - self._wake_ups.waiting(queue))
            for run_id, phase in self._store.due_runs(_SILENCE_S, phases, room, "celery"):
                self._wake_ups.run(run_id, phase)
        for run_id in self._store.reports.stale(max(0, _MAX_MESSAGES - self._wake_ups.waiting("publish"))):
            self._wake_ups.report(run_id)

    def _hand_over(self) -> None:
        """Take the runs that make no progress from their workers.

        A worker that hangs keeps its lease, since the heartbeat has a thread of its own. A run that is
        claimed at this very moment may have waited long, so it must be seen twice.
        """
        store, now = self._store, self._store.clock()
        silent = {
            (run.id, run.fence): run for run in silent_runs(store.engine, now, self._settings.stuck_seconds)
        }
        self._silent_since = {key: self._silent_since.get(key, now) for key in silent}
        for key, run in silent.items():
            seen_s = now - self._silent_since[key]
            if seen_s >= self._settings.lease_seconds and store.take_away(run.id, run.fence):
                count("run handed over")
                log.error(
                    "run %s: its %s phase has logged nothing for %.0f s at %s; another worker continues it",
                    *(run.id, run.phase, run.seconds, run.holder),
                )

    def _ask_again(self) -> None:
        """Ask the forges to repeat deliveries that failed; if a forge cannot be reached, ask later."""
        try:
            lost = self._forges.ask_again()
        except ScenaristError as error:
            log.warning("the forge could not be asked to repeat lost deliveries: %s", error.message)
        else:
            if lost:
                log.warning("%d deliveries had not arrived; the forge was asked to repeat them", lost)


def make_reporter(settings: Settings, *, comments: bool = True, page: str = "") -> Reporter:
    """Return the reporter; `comments` says whether the bot reads people's comments.

    `page` is the address of what shows every run where there is no web app: the page of a CI job.
    """
    return Reporter(settings.public_url, settings.trigger_label, comments=comments, page=page)


def trusted_handlers(
    settings: Settings,
    forges: Forges,
    workspaces: Workspaces,
    reporter: Reporter,
    allowed: Callable[[RunRequested, str], None] = lambda _request, _run: None,
    *,
    forgetful: bool = False,
) -> Mapping[Phase, PhaseHandler]:
    """Return the handlers of the phases that need forge credentials."""
    labels = (settings.trigger_label, settings.spec_label)
    places = Places(settings.runner, load_limits(settings.limits_file).runners)
    carry_base = settings.carry_base or places.far
    trusted = Trusted(forges, workspaces, reporter, carry_base, forgetful, allowed, labels, places.of)
    return {
        "prepare": trusted.prepare,
        "publish": trusted.publish,
        "propose": trusted.propose,
        "conclude": trusted.conclude,
    }
