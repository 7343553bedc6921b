"""Drive a run: take its lease, do one phase, store the phase's end, choose the next phase."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager

from sqlalchemy.exc import InterfaceError, OperationalError
from structlog.contextvars import bound_contextvars

from bot.forges.forge import ForgeUnavailable
from bot.log.events import (
    APPROVAL,
    BESIDE,
    Controlled,
    Entry,
    Event,
    NodeEntered,
    Phase,
    PhaseDelayed,
    PhaseFinished,
    PhaseStarted,
    RunEnded,
)
from bot.log.state import RunState, fold
from bot.runs.beside import Beside, ended
from bot.runs.claimed_run import ClaimedRun
from bot.runs.draining import Draining
from bot.runs.host_trouble import HostTrouble, host_trouble
from bot.runs.lease_keeping import kept_lease
from bot.runs.run_store import RunStore
from bot.runs.workflow import FAILED, NODE, Graph, built_in, end_status, goes_on, through
from bot.runs.workflow import following as next_of
from bot.storage.leases import LeaseLost, RunClaim
from bot.storage.run_log import ArtifactTooLarge
from gherkin.errors import Cancelled, ScenaristError, described
from runners.contract.job import PhaseResult
from runners.contract.operator_limits import Runner
from runners.counted import count
from runners.git.command import GitUnavailable
from runners.models.chat import ModelUnavailable

log = logging.getLogger(__name__)

_MAX_ATTEMPTS = 6
# A phase with temporary errors is repeated for about half an hour in all.
_MAX_DELAYS = 12
_MAX_DELAY_S = 300.0
# GitHub resets its rate limits every hour.
_LONGEST_WAIT_S = 3700.0
_RECONNECT_S = 0.5


class PhaseNeverEnded(ScenaristError):
    """A phase stopped its worker each time it was started."""

    code = "SCN-6004"
    next_step = (
        "Read the worker's log of that time: the worker may need more memory. `scenarist retry` repeats the "
        "phase."
    )


class TooManySteps(ScenaristError):
    """A run has taken as many phases and nodes as its workflow allows."""

    code = "SCN-6006"
    next_step = "See in the run's log what it repeats; `most_steps` of the workflow file is the limit."


# Temporary errors, after which the phase is repeated.
_TEMPORARY = (ForgeUnavailable, GitUnavailable, ModelUnavailable, HostTrouble)

PhaseHandler = Callable[[str, RunState, ClaimedRun], PhaseResult[Event]]


class Driver:
    """Does the phases it has handlers for. `changed(run_id, next_phase)` is called after each step.

    A phase that failed with a temporary error is repeated after `retry_seconds`; the delay doubles each time.
    `sandboxed` says whether this process runs commands in a sandbox, and `place` where it is; the log records
    both for each phase.
    With `runner`, phases that run repository code are done only for runs that are to be done there.
    `abandon` is called when a phase does not end within two minutes after it lost its lease: it should end
    the process, which would otherwise never work again. `graph` says what follows what; not set: the
    built-in one.
    """

    def __init__(
        self,
        store: RunStore,
        handlers: Mapping[Phase, PhaseHandler],
        *,
        worker: str,
        lease_seconds: float,
        retry_seconds: float = 2.0,
        changed: Callable[[str, Phase | None], None],
        sandboxed: bool = True,
        draining: Draining | None = None,
        abandon: Callable[[], None] | None = None,
        runner: Runner | None = None,
        place: Runner = "celery",
        graph: Graph | None = None,
    ) -> None:
        self._runner = runner
        self._place = place
        self._graph = graph or built_in()
        self._draining = draining
        self._abandon = abandon
        self._store = store
        self._handlers = handlers
        self._worker = worker
        self._lease_seconds = lease_seconds
        self._retry_seconds = retry_seconds
        self._changed = changed
        self._sandboxed = sandboxed

    def work(self, run_id: str, fence: int | None = None) -> bool:
        """Do the run's phases, one after the other, as long as this worker has handlers for them.

        With `fence`, only as long as nobody else has claimed or controlled the run since it had this fence.
        Returns whether it could claim the run.
        """
        claimed = False
        while True:
            claim = self._claim(run_id, fence)
            claimed = claimed or claim is not None
            if claim is None or not self._advance(claim):
                return claimed
            if fence is not None:
                fence = claim.fence

    def advance(self, run_id: str) -> bool:
        """Do the run's next phase if this worker can claim it; returns whether it was done."""
        claim = self._claim(run_id)
        return claim is not None and self._advance(claim)

    def record(self, claim: RunClaim, error: ScenaristError, repeats: int) -> None:
        """Record that the claimed phase failed with `error` in another process, which has ended.

        The phase is delayed; if that was done `repeats` times for the same reason, it fails.
        """
        entries = self._store.entries(claim.run_id)
        delays = _delays(entries)
        try:
            if delays < _MAX_DELAYS and _delays(entries, error.code) < repeats:
                following: Phase | None = self._delay(claim, error, delays)
            else:
                following = self._fail(claim, error)
        except LeaseLost:
            return
        self._changed(claim.run_id, following)

    def _claim(self, run_id: str, fence: int | None = None) -> RunClaim | None:
        if self._draining is not None and self._draining.begun:
            return None
        return self._store.claim(
            run_id, self._handlers, self._lease_seconds, self._worker, runner=self._runner, fence=fence
        )

    def _advance(self, claim: RunClaim) -> bool:
        with bound_contextvars(run=claim.run_id, phase=claim.phase, repository=claim.repo):
            return self._do_claimed(claim)

    def _do_claimed(self, claim: RunClaim) -> bool:
        run_id = claim.run_id
        claimed = ClaimedRun(self._store, claim, self._draining)
        try:
            with self._kept_lease(claim, claimed.lost):
                following = self._do(claim, claimed)
        except (OperationalError, InterfaceError) as error:
            log.warning("run %s: the database cannot be reached: %s", run_id, described(error))
            self._release_when_reachable(claim)
            return False
        except LeaseLost:
            count("lease lost")
            if self._draining is not None and self._draining.begun and self._store.release(claim):
                self._changed(run_id, claim.phase)
            else:
                log.warning("run %s was stopped, or another worker has it now", run_id)
            return False
        self._changed(run_id, following)
        return True

    def _kept_lease(self, claim: RunClaim, lost: Callable[[], None]) -> AbstractContextManager[None]:
        return kept_lease(
            self._store,
            claim,
            self._lease_seconds,
            lost=lost,
            draining=self._draining,
            abandon=self._abandon,
        )

    def _release_when_reachable(self, claim: RunClaim) -> None:
        """Release the claim as soon as the database can be reached again, or give up when the lease ends.

        Nothing was stored meanwhile, so nothing is lost. The delay of the phase grows with its attempts, so
        that they are not used up within seconds.
        """
        until = time.monotonic() + self._lease_seconds
        while time.monotonic() < until and not (self._draining is not None and self._draining.begun):
            try:
                self._store.put_off(claim, self._retry_seconds * 2 ** (claim.attempts - 1))
                return
            except (OperationalError, InterfaceError):
                time.sleep(_RECONNECT_S)

    def _do(self, claim: RunClaim, claimed: ClaimedRun) -> Phase | None:
        run_id = claim.run_id
        if claim.attempts > _MAX_ATTEMPTS:
            begun = f"The {claim.phase} phase was begun {claim.attempts - 1} times and never ended."
            return self._fail(claim, PhaseNeverEnded(begun))
        entries = self._store.entries(run_id)
        state = fold(entries)
        first = self._graph.first.get("publish") if claim.phase == "publish" else None
        if first and state.finished and state.finished[-1].phase == "conclude":
            return self._checked_first(claim, first, state)
        claimed.log([self._started(claim.phase, state.node if claim.phase == NODE else "")])
        self._changed(run_id, None)
        new = self._store.entries(run_id, after=state.seq)
        claimed.entries = (*entries, *new)
        state = fold(new, state)
        if len(state.finished) >= self._graph.most_steps and claim.phase != "conclude":
            taken = f"The run has taken {len(state.finished)} steps, as many as its workflow allows."
            return self._fail(claim, TooManySteps(taken))
        beside = self._beside(claim, state, claimed)
        try:
            result = self._work(claim, state, claimed, beside)
        except (LeaseLost, OperationalError, InterfaceError):
            raise
        except Cancelled:
            raise LeaseLost(f"This worker has lost its claim on run {claim.run_id}.") from None
        except (ScenaristError, OSError, MemoryError) as raised:
            error = host_trouble(raised) or raised
            failing = beside.phase if beside is not None and beside.error is raised else claim.phase
            if not isinstance(error, ScenaristError):
                return self._broke(claim, failing)
            delays = _delays(claimed.entries)
            if isinstance(error, _TEMPORARY) and delays < _MAX_DELAYS:
                return self._delay(claim, error, delays)
            return self._fail(claim, error, failing)
        except Exception as error:
            return self._broke(claim, beside.phase if beside and beside.error is error else claim.phase)
        try:
            waited_s = beside.waited_s if beside is not None else 0.0
            return self._finish(claim, result, result.outcome, "", waited_s=waited_s, state=state)
        except ArtifactTooLarge as error:
            return self._fail(claim, error)

    def _started(self, phase: Phase, node: str = "") -> PhaseStarted:
        return PhaseStarted(
            phase=phase, worker=self._worker, sandboxed=self._sandboxed, runner=self._place, node=node
        )

    def _beside(self, claim: RunClaim, state: RunState, claimed: ClaimedRun) -> Beside | None:
        """Return the companion of the claimed phase, not started yet, or None if there is none to do."""
        phase = BESIDE.get(claim.phase)
        if phase is None or ended(state.finished, phase):
            return None
        handler = self._handlers[phase]
        return Beside(
            phase,
            lambda own: handler(claim.run_id, state, own),
            claimed.companion(),
            started=self._started(phase),
            changed=lambda: self._changed(claim.run_id, None),
        )

    def _work(
        self, claim: RunClaim, state: RunState, claimed: ClaimedRun, beside: Beside | None
    ) -> PhaseResult[Event]:
        """Do the claimed phase and, at the same time, the companion `beside`.

        Raises the error of the claimed phase, or else of the companion.
        """
        handler = self._handlers[claim.phase]
        if beside is None:
            return handler(claim.run_id, state, claimed)
        with beside:
            try:
                result = handler(claim.run_id, state, claimed)
            except _TEMPORARY:
                # The phase will be repeated, but the companion's work is kept.
                try:
                    beside.join()
                except Exception as error:
                    log.warning("run %s: %s failed as well: %s", claim.run_id, beside.phase, described(error))
                raise
            if goes_on(claim.phase, result.outcome):
                beside.join()
            return result

    def _broke(self, claim: RunClaim, phase: Phase) -> Phase | None:
        """End a phase that failed because of a defect in Scenarist; called in the error's handler."""
        log.exception("run %s: the %s phase broke", claim.run_id, phase)
        reason = f"The {phase} phase broke. {ScenaristError.next_step}"
        return self._finish(claim, PhaseResult("gave_up", reason), FAILED, ScenaristError.code, phase)

    def _fail(self, claim: RunClaim, error: ScenaristError, phase: Phase | None = None) -> Phase | None:
        reason = f"{error.message} {error.next_step}"
        return self._finish(claim, PhaseResult("gave_up", reason), FAILED, error.code, phase)

    def _finish(
        self,
        claim: RunClaim,
        result: PhaseResult[Event],
        outcome: str,
        code: str,
        phase: Phase | None = None,
        waited_s: float = 0.0,
        state: RunState | None = None,
    ) -> Phase | None:
        """Store the end of the claimed phase; returns the next phase.

        `phase` is the phase whose result this is, if it is the companion's. `waited_s` is how long the
        claimed phase waited for its companion.
        """
        # Only a phase that broke has no state here, and after that nothing of the graph matters.
        before = state or RunState()
        node = before.node if claim.phase == NODE else ""
        ended = PhaseFinished(
            phase=phase or claim.phase,
            outcome=outcome,
            reason=result.reason,
            code=code,
            waited_s=waited_s,
            node=node,
        )
        target, said = next_of(self._graph, node or claim.phase, before, result.events, ended)
        new: list[Event] = [*result.events, *said]
        if target is not None and target in self._graph.asks:
            self._ask(claim, target, new, result.artifacts, before)
            return None
        following, entered = self._entered(target)
        new += entered
        if following is not None and outcome == APPROVAL:
            waits = Controlled(control="pause", by="", reason=result.reason)
            self._store.finish_phase(claim, [*new, waits], result.artifacts, phase=following, status="paused")
            return None
        if following is not None:
            self._store.finish_phase(claim, new, result.artifacts, phase=following)
            return following
        known = state or RunState()
        last = fold(self._store.entries(claim.run_id, after=known.seq), known)
        steps = [step for step in last.finished if step.phase != "conclude"]
        concluding = claim.phase == "conclude" and steps
        over = RunEnded(status=end_status(steps[-1].outcome if concluding else outcome))
        self._store.finish_phase(claim, [*new, over], result.artifacts, phase=claim.phase, status=over.status)
        return None

    def _checked_first(self, claim: RunClaim, first: str, state: RunState) -> Phase | None:
        """Do the operator's nodes before a publish that somebody asked to retry."""
        target, said = through(self._graph, self._graph.passed(first, state), state)
        if target is not None and target in self._graph.asks:
            self._ask(claim, target, [*said], {}, state)
            return None
        following, entered = self._entered(target)
        self._store.finish_phase(claim, [*said, *entered], {}, phase=following or claim.phase)
        return following

    def _entered(self, target: str | None) -> tuple[Phase | None, list[Event]]:
        """Return the phase in which `target` is done, and the events that record an operator's node."""
        if target is not None and self._graph.is_node(target):
            return NODE, [NodeEntered(node=target)]
        return next((phase for phase in self._graph.phases if phase == target), None), []

    def _ask(
        self, claim: RunClaim, node: str, new: list[Event], artifacts: Mapping[str, bytes], state: RunState
    ) -> None:
        """Pause the run at the human `node` until somebody approves it; what follows it is next then."""
        following, entered = self._entered(self._graph.follow(node, "done", state))
        if following is None:
            raise ValueError(f"the human node {node} leads nowhere")
        ask = self._graph.asks[node]
        waits: list[Event] = [
            PhaseFinished(phase=NODE, outcome=APPROVAL, reason=ask, node=node),
            *entered,
            Controlled(control="pause", by="", reason=ask),
        ]
        self._store.finish_phase(claim, [*new, *waits], artifacts, phase=following, status="paused")

    def _delay(self, claim: RunClaim, error: ScenaristError, delays: int) -> Phase:
        backoff = min(self._retry_seconds * 2**delays, _MAX_DELAY_S)
        seconds = max(backoff, min(getattr(error, "wait_s", 0.0), _LONGEST_WAIT_S))
        delayed = PhaseDelayed(phase=claim.phase, code=error.code, reason=error.message, seconds=seconds)
        self._store.finish_phase(claim, [delayed], {}, phase=claim.phase, delay=seconds)
        return claim.phase


def _delays(entries: Sequence[Entry], code: str = "") -> int:
    """Return how often the current phase was delayed since the last phase ended, for errors with `code`."""
    count = 0
    for entry in reversed(entries):
        if isinstance(entry.event, PhaseFinished):
            break
        count += isinstance(entry.event, PhaseDelayed) and code in ("", entry.event.code)
    return count
