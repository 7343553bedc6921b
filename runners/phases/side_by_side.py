"""Candidates side by side: each implements and verifies in its own thread, under one claim of the run.

Each has its own worktree, artifacts and chain of log entries; every entry has the candidate's number. So a
run that lost its worker continues each candidate where its own entries end.
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import replace

from runners.contract.budget import Budget, Spent
from runners.contract.events import RunnerEvent
from runners.contract.job import (
    CANDIDATE_DIFF,
    CANDIDATE_WORK,
    CHECKPOINT,
    DIFF,
    EXAMPLES,
    FIRST_DIFF,
    FIRST_WORK,
    WORK,
    CandidateSettings,
    Job,
    PhaseResult,
)
from runners.contract.spending import spent_in
from runners.contract.team_events import (
    CandidateBegun,
    CandidateChosen,
    CandidateEnded,
    CandidateStep,
    CandidateWork,
)
from runners.git.workspaces import Mirror, work_ref
from runners.loop.services import Services
from runners.phases.given.checkout import mirror_of, unbundled
from runners.phases.implement import implement
from runners.phases.team.candidates import chosen, ended_candidate, since_spec, wanted
from runners.phases.verify import verify

# What each candidate has for itself; it may read the run's other artifacts.
_OWN = (WORK, CHECKPOINT, DIFF, FIRST_WORK, FIRST_DIFF, EXAMPLES)


def implement_all(job: Job, services: Services) -> PhaseResult[RunnerEvent]:
    """Implement with one driver, or with all candidates side by side if the operator allows it.

    Raises what `implement` and `verify` raise.
    """
    settings = wanted(job.settings, services.operator, disagreement=False)
    alone = settings.count == 1 or settings.when == "red" or job.conflicts or job.order.rebase
    if alone or services.operator.parallel == 1 or job.settings.mode == "pair":
        return implement(job, services)
    mirror = mirror_of(job, services)
    unbundled(job, services, mirror, WORK)
    lanes = [_Lane(job, services, mirror, number, settings.count) for number in range(1, settings.count + 1)]
    with ThreadPoolExecutor(max_workers=min(services.operator.parallel, len(lanes))) as pool:
        futures = [pool.submit(copy_context().run, lane.work) for lane in lanes]
        ended = [future.result() for future in futures]
    last = PhaseResult[RunnerEvent]("gave_up", lanes[-1].reason, artifacts=lanes[-1].result())
    return chosen(job, services, mirror, last, ended)


class _Lane:
    """One candidate: its job, services and log."""

    def __init__(self, job: Job, services: Services, mirror: Mirror, number: int, count: int) -> None:
        self._services, self._mirror, self._number = services, mirror, number
        self._job = job
        self._place = f"{job.run_id}c{number}"
        newest = since_spec(job.events)
        last = max((at for at, event in enumerate(newest) if isinstance(event, CandidateChosen)), default=-1)
        # A retry after a choice makes all of them anew.
        self._own = [event for event in newest[last + 1 :] if number_in(event) == number]
        before = [event for event in job.events if not number_in(event)]
        runtime = services.models.candidate(number)[0]
        begun = [
            CandidateBegun(number=each, runtime=runtime, reason="all are made side by side")
            for each in range(2, number + 1)
        ]
        self._before = (*before, *begun)
        settings = job.settings.model_copy(
            update={
                "budget": _share(job.settings.budget, spent_in(before), count),
                "candidates": CandidateSettings(),
                "mode": "solo",
            }
        )
        self._alone = replace(job, settings=settings, place=self._place)

    def work(self) -> CandidateEnded:
        """Implement and verify until the candidate is finished. Raises what `implement` and `verify`
        raise.
        """
        ended = next((event for event in self._own if isinstance(event, CandidateEnded)), None)
        if ended is not None:
            return ended
        step = next((event for event in reversed(self._own) if isinstance(event, CandidateStep)), None)
        while step is None or step.goes_on:
            verifies = step is not None and step.phase == "implement"
            result = (verify if verifies else implement)(self._own_job(), self._own_services())
            step = CandidateStep(
                phase="verify" if verifies else "implement", outcome=result.outcome, reason=result.reason
            )
            self._log([*result.events, step], result.artifacts)
        nothing = PhaseResult[RunnerEvent]("done")
        job = self._own_job()
        ended = ended_candidate(job, self._own_services(), self._mirror, job.events, nothing)
        bundle = self._mirror.bundle_commit(ended.proof, work_ref(self._job.run_id), base=self._job.base)
        diff = self._artifact(DIFF) or b""
        done = {CANDIDATE_WORK.format(self._number): bundle, CANDIDATE_DIFF.format(self._number): diff}
        marked = ended.model_copy(update={"candidate": self._number})
        self._services.log([marked], done)
        return marked

    @property
    def reason(self) -> str:
        """Return why the candidate's newest step ended as it did."""
        steps = [event.reason for event in self._own if isinstance(event, CandidateStep)]
        return steps[-1] if steps else ""

    def result(self) -> dict[str, bytes]:
        """Return the work of the finished candidate and its diff, as the run's own artifacts."""
        names = {WORK: CANDIDATE_WORK, DIFF: CANDIDATE_DIFF}
        return {
            name: self._services.artifact(stored.format(self._number)) or b""
            for name, stored in names.items()
        }

    def _own_job(self) -> Job:
        spent = spent_in(self._own)
        return replace(self._alone, events=(*self._before, *self._own), spent=spent)

    def _own_services(self) -> Services:
        return replace(self._services, log=self._log, artifact=self._artifact)

    def _log(self, events: Sequence[RunnerEvent], artifacts: Mapping[str, bytes] | None = None) -> None:
        marked = [event.model_copy(update={"candidate": self._number}) for event in events]
        self._services.log(marked, {self._name(name): data for name, data in (artifacts or {}).items()})
        self._own += marked

    def _name(self, name: str) -> str:
        return f"lane-{self._number}.{name}" if name in _OWN else name

    def _artifact(self, name: str) -> bytes | None:
        found = self._services.artifact(self._name(name))
        if found is None and name == WORK:
            commit = self._job.spec.commit
            return self._mirror.bundle_commit(commit, work_ref(self._place), base=self._job.base)
        return self._services.artifact(name) if found is None and name == EXAMPLES else found


def number_in(event: RunnerEvent) -> int:
    """Return the number of the candidate that an event belongs to; 0 if it belongs to none, or none run
    side by side.
    """
    return event.candidate if isinstance(event, CandidateWork) else 0


def _share(budget: Budget, before: Spent, count: int) -> Budget:
    """Return the budget of one of `count` candidates: an equal share of what is left.

    The seconds are not shared, because they pass for all candidates at once.
    """
    left = budget.cost - before.cost if budget.cost is not None else None
    return budget.model_copy(
        update={
            "turns": max(1, (budget.turns - before.turns) // count),
            "tokens": max(1000, (budget.tokens - before.tokens) // count),
            "cost": max(0.0001, left / count) if left is not None else None,
        }
    )
