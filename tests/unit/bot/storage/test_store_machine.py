"""Runs, leases, commands and deliveries in random order, against a plain dictionary that says what has to be
so."""

from dataclasses import dataclass, field
from tempfile import TemporaryDirectory
from typing import Literal

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from bot.intake.deliveries import Deliveries, Delivery
from bot.log.events import Controlled, Phase, PhaseFinished, PhaseStarted, RunEnded, RunRequested
from bot.log.state import fold
from bot.runs.workflow import EDGES, FAILED, QUEUES, end_status
from bot.storage.database import connect, migrate
from bot.storage.leases import LeaseLost, RunClaim
from bot.storage.store import Store, new_id
from runners.contract.workorder import WorkOrder
from tests.support.stores import Clock

LEASE = 30.0
Control = Literal["pause", "resume", "cancel", "retry"]


@dataclass
class Run:
    """What the model knows of a run."""

    target: str
    exclusive: bool
    phase: Phase = "prepare"
    status: str = "active"
    holder: RunClaim | None = None
    until: float = 0.0
    events: int = 1
    requests: list[str] = field(default_factory=list)

    @property
    def open(self) -> bool:
        return self.status in ("active", "paused") and self.phase != "conclude"


class Machine(RuleBasedStateMachine):
    """Every rule does the same to the store and to the dictionary."""

    claims = Bundle("claims")

    def __init__(self) -> None:
        super().__init__()
        self._folder = TemporaryDirectory()
        engine = connect(f"sqlite:///{self._folder.name}/store.db")
        migrate(engine)
        self.clock = Clock()
        self.store = Store(engine, self.clock)
        self.inbox = Deliveries(engine, self.clock)
        self.model: dict[str, Run] = {}
        self.granted: set[str] = set()
        self.handled: dict[str, bool] = {}

    def teardown(self) -> None:
        self.store.engine.dispose()
        self._folder.cleanup()

    # -- requests and deliveries ---------------------------------------------------------------------------

    @rule(key=st.sampled_from("abcdef"), wanted=st.sampled_from(["x", "y"]), exclusive=st.booleans())
    def request(self, key: str, wanted: str, exclusive: bool) -> None:
        order = WorkOrder(kind="implement", number=1, title="t", body="", requested_by="ada", requested_at="")
        event = RunRequested(forge="local", repo="o/r", order=order, order_sha256="", key=key)
        delivery = Delivery(id=new_id(), forge="local", guid=key, event="issues", body=b"{}")
        fresh = self.inbox.add([delivery]) == {delivery.id}
        assert fresh == (key not in self.handled)
        self.handled.setdefault(key, True)
        run = self.store.request_run(event, target=wanted, exclusive=exclusive, delivery_id=delivery.id)
        taken = exclusive and any(r.exclusive and r.open and r.target == wanted for r in self.model.values())
        assert (run is None) == (key in self.granted or taken)
        if run is not None:
            self.granted.add(key)
            self.model[run] = Run(wanted, exclusive)

    @rule(seconds=st.sampled_from([1.0, 10.0, LEASE + 1]))
    def time_passes(self, seconds: float) -> None:
        self.clock.now += seconds

    # -- workers -------------------------------------------------------------------------------------------

    @rule(target=claims, data=st.data(), queue=st.sampled_from(["publish", "runs"]))
    def claim(self, data: st.DataObject, queue: str) -> RunClaim | None:
        if not self.model:
            return None
        name = data.draw(st.sampled_from(sorted(self.model)))
        run = self.model[name]
        phases = [phase for phase, its in QUEUES.items() if its == queue]
        held = self.store.claim(name, phases, LEASE)
        if run.status != "active" or run.phase not in phases or (run.holder and run.until >= self.clock.now):
            assert held is None
        if held is not None:
            assert held.phase == run.phase
            run.holder, run.until = held, self.clock.now + LEASE
        return held

    def _is_good(self, claim: RunClaim) -> bool:
        return self.model[claim.run_id].holder is claim

    @rule(claim=claims)
    def extend(self, claim: RunClaim | None) -> None:
        if claim is None:
            return
        assert self.store.is_current(claim) == self._is_good(claim)
        if self._writes(claim, lambda held: self.store.extend(held, LEASE)):
            self.model[claim.run_id].until = self.clock.now + LEASE

    @rule(claim=claims)
    def log(self, claim: RunClaim | None) -> None:
        if claim is not None:
            event = PhaseStarted(phase=claim.phase, worker="w")
            if self._writes(claim, lambda held: self.store.log(held, [event], {"x": b"1"})):
                self.model[claim.run_id].events += 1

    @rule(claim=consumes(claims))
    def release(self, claim: RunClaim | None) -> None:
        if claim is not None:
            assert self.store.release(claim) == self._is_good(claim)
            if self._is_good(claim):
                self.model[claim.run_id].holder = None

    @rule(claim=consumes(claims), data=st.data())
    def finish(self, claim: RunClaim | None, data: st.DataObject) -> None:
        if claim is None:
            return
        outcomes = [outcome for phase, outcome in EDGES if phase == claim.phase and outcome != "approval"]
        outcome = data.draw(st.sampled_from([*outcomes, "failed"]))
        failed = None if claim.phase == "conclude" else "conclude"
        following = failed if outcome == FAILED else EDGES[claim.phase, outcome]
        done = PhaseFinished(phase=claim.phase, outcome=outcome)
        run = self.model[claim.run_id]
        if following is None:
            status = end_status(outcome)
            last = [done, RunEnded(status=status)]
            ended = self._writes(
                claim, lambda held: self.store.finish_phase(held, last, {}, phase=held.phase, status=status)
            )
            if ended:
                run.status, run.events, run.holder = status, run.events + 2, None
        elif self._writes(claim, lambda held: self.store.finish_phase(held, [done], {}, phase=following)):
            run.phase, run.events, run.holder = following, run.events + 1, None

    def _writes(self, claim: RunClaim, write: object) -> bool:
        """Whether a write under the claim went through, as it must just when the claim is the newest."""
        good = self._is_good(claim)
        try:
            write(claim)
        except LeaseLost:
            assert not good
            return False
        assert good
        return True

    # -- people --------------------------------------------------------------------------------------------

    @rule(data=st.data(), control=st.sampled_from(["pause", "resume", "cancel", "retry"]))
    def control(self, data: st.DataObject, control: Control) -> None:
        if not self.model:
            return
        name = data.draw(st.sampled_from(sorted(self.model)))
        run = self.model[name]
        phase: Phase | None = "implement" if control == "retry" else None
        did = self.store.control(name, Controlled(control=control, by="ada", phase=phase))
        if not did:
            return
        # A phase that was under way is written down as cancelled, besides.
        run.holder, run.events = None, run.events + (2 if control == "cancel" else 1)
        run.status = "paused" if control == "pause" else "active"
        if control == "cancel":
            run.phase = "conclude"
        if control == "retry":
            run.phase = "implement"

    # -- what always holds ---------------------------------------------------------------------------------

    @invariant()
    def the_store_says_the_same(self) -> None:
        for name, run in self.model.items():
            assert self.store.status(name) == (run.status, run.phase), run

    @invariant()
    def logs_have_no_holes(self) -> None:
        for name, run in self.model.items():
            entries = self.store.entries(name)
            assert [entry.seq for entry in entries] == list(range(1, run.events + 1))
            half = fold(entries[: len(entries) // 2])
            assert fold(entries[len(entries) // 2 :], half) == fold(entries), "a fold can go on"

    @invariant()
    def one_open_run_has_an_exclusive_target(self) -> None:
        for target in ("x", "y"):
            assert sum(r.exclusive and r.open and r.target == target for r in self.model.values()) <= 1

    @invariant()
    def nothing_is_forgotten(self) -> None:
        """What is active and in nobody's hands is found by the reaper, sooner or later, and somebody can take
        it."""
        self.clock.now += 10_000
        due = {name for name, _ in self.store.due_runs(1, QUEUES, 100)}
        self.clock.now -= 10_000
        assert due == {name for name, run in self.model.items() if run.status == "active"}


TestMachine = Machine.TestCase
TestMachine.settings = settings(
    max_examples=25, stateful_step_count=30, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
