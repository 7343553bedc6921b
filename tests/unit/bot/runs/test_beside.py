"""Two phases at the same time: one claim, one fence, and nothing done twice."""

import threading
from collections.abc import Callable
from dataclasses import replace

import pytest

from bot.log.events import BESIDE, Event, Phase, PhaseFinished, PhaseStarted
from bot.log.state import RunState, fold
from bot.runs.beside import Beside
from bot.runs.claimed_run import ClaimedRun
from bot.runs.driver import Driver, PhaseHandler
from bot.runs.workflow import GraphUnsound, Link, built_in, check
from bot.storage.leases import LeaseLost
from bot.storage.store import Store
from gherkin.errors import Cancelled
from runners.contract.events import BaselineReached
from runners.contract.job import PhaseResult
from runners.environment.install import EnvironmentBroken
from runners.models.chat import ModelUnavailable
from tests.support.stores import PHASES, Clock, drive, start

Result = PhaseResult[Event]
_LONG = 60.0  # only ends a hang


Make = Callable[..., Driver]


@pytest.fixture
def make(store: Store, clock: Clock) -> Make:
    def make(**handlers: PhaseHandler) -> Driver:
        every: dict[Phase, PhaseHandler] = dict.fromkeys(
            PHASES, lambda _run, _state, _claimed: PhaseResult("done")
        )
        every.update(handlers)
        return Driver(store, every, worker="w", lease_seconds=30, changed=lambda run, following: None)

    return make


def logged(store: Store, run: str, phase: str, kind: type[Event]) -> int:
    events = [entry.event for entry in store.entries(run)]
    return sum(isinstance(event, kind) and getattr(event, "phase", "") == phase for event in events)


def test_both_are_done_at_the_same_time(store: Store, make: Make, clock: Clock) -> None:
    both = threading.Barrier(2, timeout=_LONG)

    def meets(_run: str, _state: RunState, _claimed: ClaimedRun) -> Result:
        both.wait()
        return PhaseResult("done")

    run = start(store)
    assert drive(store, make(specify=meets, baseline=meets), clock, run).status == "done"


def test_the_run_goes_on_when_both_have_ended(
    store: Store, make: Make, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    specified = threading.Event()
    join = Beside.join

    def told(beside: Beside) -> None:
        specified.set()
        join(beside)

    monkeypatch.setattr(Beside, "join", told)

    def specify(_run: str, _state: RunState, _claimed: ClaimedRun) -> Result:
        return PhaseResult("done")

    def baseline(_run: str, _state: RunState, _claimed: ClaimedRun) -> Result:
        assert specified.wait(_LONG)
        return PhaseResult(
            "done", events=[BaselineReached(base="b", environment_s=1)], artifacts={"baseline": b"x"}
        )

    def implement(run: str, state: RunState, claimed: ClaimedRun) -> Result:
        assert state.baseline is not None
        assert claimed.artifact("baseline") == b"x"
        return PhaseResult("done")

    run = start(store)
    state = drive(store, make(specify=specify, baseline=baseline, implement=implement), clock, run)
    assert state.status == "done"
    assert state.phase == "publish", "the state is never at the phase beside"
    (finished,) = (each for each in state.finished if each.phase == "specify")
    assert finished.waited_s > 0
    ended = {each.phase: each.ended for each in state.times}
    assert ended["specify"] < ended["baseline"], "what it only waited is not its own time"


def test_what_has_ended_is_not_done_again(store: Store, make: Make, clock: Clock) -> None:
    times: list[str] = []

    def baseline(_run: str, _state: RunState, _claimed: ClaimedRun) -> Result:
        times.append("baseline")
        return PhaseResult("done")

    def specify(_run: str, _state: RunState, _claimed: ClaimedRun) -> Result:
        times.append("specify")
        if times.count("specify") < 3:
            raise ModelUnavailable("It is away.")
        return PhaseResult("done")

    run = start(store)
    assert drive(store, make(specify=specify, baseline=baseline), clock, run).status == "done"
    assert (times.count("specify"), times.count("baseline")) == (3, 1)


def test_a_worker_that_is_killed_leaves_both_to_the_next(store: Store, make: Make, clock: Clock) -> None:
    run = start(store)
    make().advance(run)
    taken = store.claim(run, PHASES, 30, "x")
    assert taken is not None
    store.log(taken, [PhaseStarted(phase="specify", worker="w"), PhaseStarted(phase="baseline", worker="w")])
    clock.now += 31
    state = drive(store, make(), clock, run)
    assert state.status == "done"
    assert logged(store, run, "baseline", PhaseStarted) == 2
    assert logged(store, run, "baseline", PhaseFinished) == 1


def test_an_environment_that_is_not_ready_ends_the_run_before_any_code(
    store: Store, make: Make, clock: Clock
) -> None:
    def baseline(_run: str, _state: RunState, _claimed: ClaimedRun) -> Result:
        raise EnvironmentBroken("There is no Django.")

    def implement(_run: str, _state: RunState, _claimed: ClaimedRun) -> Result:
        raise AssertionError("no code is written")

    run = start(store)
    state = drive(store, make(baseline=baseline, implement=implement), clock, run)
    assert (state.status, state.code) == ("failed", EnvironmentBroken.code)
    assert [step.phase for step in state.finished if step.outcome == "failed"] == ["baseline"]


def test_a_question_ends_what_is_beside_it_and_nothing_of_that_is_stored(
    store: Store, make: Make, clock: Clock
) -> None:
    refused: list[Exception] = []
    begun, over = threading.Event(), threading.Event()

    def baseline(_run: str, _state: RunState, claimed: ClaimedRun) -> Result:
        begun.set()
        assert claimed.cancel.wait(_LONG)
        try:
            claimed.log([BaselineReached(base="b", environment_s=1)])
        except LeaseLost as error:
            refused.append(error)
        over.set()
        raise Cancelled

    def specify(_run: str, _state: RunState, _claimed: ClaimedRun) -> Result:
        assert begun.wait(_LONG)
        return PhaseResult("needs_info", "What is a widget?")

    run = start(store)
    state = drive(store, make(specify=specify, baseline=baseline), clock, run)
    assert (state.status, state.reason) == ("needs_info", "What is a widget?")
    assert over.wait(_LONG) and len(refused) == 1
    assert fold(store.entries(run)).baseline is None
    assert all(each.ended for each in state.times), "its time is over too"


def test_a_lost_lease_ends_both(store: Store, make: Make, clock: Clock) -> None:
    run = start(store)
    stopped: list[str] = []

    def waits(name: str) -> PhaseHandler:
        def handler(run_id: str, _state: RunState, claimed: ClaimedRun) -> Result:
            if name == "baseline":
                clock.now += 31
                assert store.claim(run_id, PHASES, 30, "x") is not None, "somebody else takes the run over"
            assert claimed.cancel.wait(_LONG)
            stopped.append(name)
            raise Cancelled

        return handler

    driver = make(specify=waits("specify"), baseline=waits("baseline"))
    assert driver.advance(run)
    assert not driver.advance(run)
    assert sorted(stopped) == ["baseline", "specify"]
    assert fold(store.entries(run)).status == "active"


def test_a_companion_has_no_way_of_its_own() -> None:
    graph = built_in()
    check(graph)
    with pytest.raises(GraphUnsound, match="baseline"):
        graph.extended({**graph.edges, ("baseline", "done"): Link(to="implement")})
    with pytest.raises(GraphUnsound, match="cannot be reached: baseline"):
        check(replace(graph, beside={}))
    with pytest.raises(GraphUnsound, match="another queue"):
        check(replace(graph, beside={**BESIDE, "prepare": "baseline"}))
