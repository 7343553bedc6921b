"""Count the events of runs, as they are appended to their logs."""

import threading
import time
from collections import OrderedDict

from bot.log.events import Entry, PhaseDelayed, PhaseFinished, PhaseStarted, RunEnded, RunRequested
from bot.storage.observers import Appended
from bot.telemetry import metrics
from runners.contract.events import ModelPhase, ModelReplied, ToolCalled, VerdictReached
from runners.tools.base import ENDING_TOOLS

# Which role a model has in a task, as in the models file.
_ROLES: dict[ModelPhase, str] = {
    "review": "reviewer",
    "critique": "reviewer",
    "pair": "navigator",
    "node": "reviewer",
    "navigate": "navigator",
    "implement": "driver",
    "condense": "driver",
    "setup": "driver",
}
# Errors of models: the codes SCN-4000 to SCN-4199.
_OF_MODELS = ("SCN-40", "SCN-41")
_MOST_OPEN = 1000


class EventCounter:
    """Counts for the metrics; with `repositories` the repositories' names are labels.

    A tool that a model made up counts as `other`.
    """

    def __init__(self, *, repositories: bool) -> None:
        self._names_repositories = repositories
        self._repository = metrics.Bounded(most=500)
        self._model = metrics.Bounded()
        self._lock = threading.Lock()
        # What has begun in this process: phase -> its start; role -> the seconds of its turn so far.
        self._phases: OrderedDict[tuple[str, str], float] = OrderedDict()
        self._turns: OrderedDict[tuple[str, str], float] = OrderedDict()

    def __call__(self, appended: Appended) -> None:
        """Count new entries of a run's log."""
        with self._lock:
            for entry in appended.entries:
                self._count(appended, entry)

    def _count(self, run: Appended, entry: Entry) -> None:
        repository = self._repository(run.repo) if self._names_repositories else ""
        match entry.event:
            case RunRequested():
                metrics.runs_requested.labels(run.kind, run.forge, repository).inc()
            case RunEnded() as ended:
                metrics.runs_ended.labels(ended.status, run.kind, run.forge, repository).inc()
            case PhaseStarted() as started:
                _remember(self._phases, (run.run_id, started.phase), time.monotonic())
            case PhaseFinished() as finished:
                self._finished(run, finished)
            case PhaseDelayed() as delayed:
                self._phases.pop((run.run_id, delayed.phase), None)
                metrics.phase_delays.labels(delayed.phase, delayed.code).inc()
                _model_error(delayed.code)
            case ModelReplied() as replied:
                self._replied(run, replied, repository)
            case ToolCalled() as called:
                self._called(run, called)
            case VerdictReached(verdict=verdict):
                metrics.verdicts.labels(verdict.status).inc()
                for code in {problem.code for problem in verdict.problems}:
                    metrics.problems.labels(code).inc()

    def _finished(self, run: Appended, finished: PhaseFinished) -> None:
        metrics.phases_ended.labels(finished.phase, finished.outcome, run.kind).inc()
        began = self._phases.pop((run.run_id, finished.phase), None)
        if began is not None:
            metrics.phase_seconds.labels(finished.phase).observe(time.monotonic() - began)
        for key in [key for key in self._turns if key[0] == run.run_id]:
            metrics.turn_seconds.labels(key[1]).observe(self._turns.pop(key))
        if finished.code:
            metrics.phase_failures.labels(finished.phase, finished.code).inc()
            _model_error(finished.code)

    def _replied(self, run: Appended, replied: ModelReplied, repository: str) -> None:
        role, model = _ROLES.get(replied.phase, "analyst"), self._model(replied.reply.model[:100])
        before = self._turns.pop((run.run_id, role), None)
        if before is not None:
            metrics.turn_seconds.labels(role).observe(before)
        _remember(self._turns, (run.run_id, role), replied.seconds)
        metrics.reply_seconds.labels(role, model).observe(replied.seconds)
        usage = replied.reply.usage
        for kind, number in (
            ("prompt", usage.prompt_tokens - usage.cached_tokens),
            ("cached", usage.cached_tokens),
            ("completion", usage.completion_tokens),
        ):
            metrics.tokens.labels(kind, role, model, repository).inc(max(0, number))
        metrics.cost.labels(role, model, repository).inc(max(0.0, replied.cost))
        if replied.rescued:
            metrics.rescued.labels(replied.rescued, model).inc()

    def _called(self, run: Appended, called: ToolCalled) -> None:
        # Only tools that there are need a capability.
        known = called.capability or called.call.name in ENDING_TOOLS
        tool = called.call.name if known else metrics.OTHER
        outcome = "denied" if called.denied else "ok" if called.ok else "failed"
        metrics.tool_calls.labels(tool, outcome).inc()
        metrics.tool_seconds.labels(tool).observe(called.seconds)
        key = (run.run_id, called.role if called.role in ("driver", "analyst") else "driver")
        if key in self._turns:
            self._turns[key] += called.seconds


def _remember(known: OrderedDict[tuple[str, str], float], key: tuple[str, str], value: float) -> None:
    """Keep a value; the oldest of more than a thousand is forgotten, as its run went to another worker."""
    known[key] = value
    if len(known) > _MOST_OPEN:
        known.popitem(last=False)


def _model_error(code: str) -> None:
    if code.startswith(_OF_MODELS):
        metrics.model_errors.labels(code).inc()
