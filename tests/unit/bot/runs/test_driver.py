"""The driver: one phase a claim, trouble that passes, trouble that does not, workers that die."""

import errno
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError

from bot.forges.forge import ForgeDenied, ForgeUnavailable
from bot.log.events import Controlled, Entry, Event, Phase, PhaseDelayed
from bot.log.state import RunState, fold
from bot.runs.claimed_run import ClaimedRun
from bot.runs.draining import Draining
from bot.runs.driver import Driver, PhaseHandler
from bot.runs.worker_identity import is_gone, worker_identity
from bot.storage.gauges import silent_runs
from bot.storage.leases import RunClaim
from bot.storage.store import Store
from runners.contract.job import PhaseResult
from runners.git.command import GitFailed
from tests.support.stores import PHASES, Clock, claim, drive, start
from tests.support.waiting import wait_until

Make = Callable[..., Driver]


@pytest.fixture
def make(store: Store, clock: Clock) -> Make:
    def make(draining: Draining | None = None, **handlers: PhaseHandler) -> Driver:
        def done(_run: str, _state: RunState, _claimed: ClaimedRun) -> PhaseResult[Event]:
            return PhaseResult("done")

        every: dict[Phase, PhaseHandler] = dict.fromkeys(PHASES, done)
        every.update(handlers)
        return Driver(
            store, every, worker="w", lease_seconds=30, changed=lambda run, following: None, draining=draining
        )

    return make


def test_a_run_that_was_begun_comes_before_those_that_wait(store: Store, clock: Clock) -> None:
    done: list[str] = []

    def handler(run_id: str, _state: RunState, _claimed: ClaimedRun) -> PhaseResult[Event]:
        done.append(run_id)
        return PhaseResult("red" if len(done) == 4 else "done")

    handlers: dict[Phase, PhaseHandler] = dict.fromkeys(
        ("prepare", "specify", "implement", "verify"), handler
    )
    handlers["baseline"] = lambda _run, _state, _claimed: PhaseResult("done")
    driver = Driver(store, handlers, worker="w", lease_seconds=30, changed=lambda run, following: None)
    first, second = start(store, "one", target="a"), start(store, "two", target="b")
    assert first is not None
    assert second is not None
    driver.work(first)
    assert done == [first] * 6, "up to the phase that is not this worker's"
    driver.work(second)
    assert done == [first] * 6 + [second] * 4


def test_the_log_is_read_whole_once_a_phase(
    store: Store, make: Make, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole: list[str] = []
    given: list[list[str]] = []
    read = store.entries

    def counted(run_id: str, after: int = 0, *more: int) -> list[Entry]:
        whole.extend([run_id] if not after else [])
        return read(run_id, after, *more)

    def handler(run_id: str, _state: RunState, claimed: ClaimedRun) -> PhaseResult[Event]:
        given.append([entry.event.type for entry in claimed.entries])
        return PhaseResult("done")

    run_id = start(store)
    assert run_id is not None
    driver = make(**dict.fromkeys(PHASES, handler))
    monkeypatch.setattr(store, "entries", counted)
    phases = 0
    while driver.advance(run_id):
        phases += 1
    assert phases == 5 and len(whole) == phases
    assert given[0] == ["RunRequested", "PhaseStarted"], "the phase is given what was read"
    assert all("PhaseStarted" in each for each in given)


def raising(error: Exception, times: int = 10**9) -> PhaseHandler:
    left = [times]

    def handler(_run: str, _state: RunState, _claimed: ClaimedRun) -> PhaseResult[Event]:
        if left[0] > 0:
            left[0] -= 1
            raise error
        return PhaseResult("done")

    return handler


def test_phases_follow_each_other_to_the_end(store: Store, make: Make, clock: Clock) -> None:
    run_id = start(store)
    assert run_id is not None
    state = drive(store, make(), clock, run_id)
    assert state.status == "done"
    assert [step.phase for step in state.finished] == [
        *("prepare", "baseline", "specify", "implement", "verify", "publish")
    ]


@pytest.mark.parametrize(("outcome", "status"), [("needs_info", "needs_info"), ("gave_up", "gave_up")])
def test_an_honest_end_is_concluded(
    store: Store, make: Make, clock: Clock, outcome: str, status: str
) -> None:
    run_id = start(store)
    assert run_id is not None
    handler: PhaseHandler = lambda _run, _state, _claimed: PhaseResult(outcome, "because")  # noqa: E731
    state = drive(store, make(specify=handler), clock, run_id)
    assert (state.status, state.reason) == (status, "because")
    phases = [step.phase for step in state.finished if step.phase != "baseline"]
    assert phases == ["prepare", "specify", "conclude"]


def test_trouble_that_passes_is_waited_for(store: Store, make: Make, clock: Clock) -> None:
    run_id = start(store)
    assert run_id is not None
    driver = make(publish=raising(ForgeUnavailable("It is away."), times=8))
    state = drive(store, driver, clock, run_id)
    assert state.status == "done"
    waits = [e.event.seconds for e in store.entries(run_id) if isinstance(e.event, PhaseDelayed)]
    assert waits == [2, 4, 8, 16, 32, 64, 128, 256]


def test_trouble_that_lasts_ends_the_run_with_its_code(store: Store, make: Make, clock: Clock) -> None:
    run_id = start(store)
    assert run_id is not None
    state = drive(store, make(publish=raising(ForgeUnavailable("It is away."))), clock, run_id)
    assert (state.status, state.code) == ("failed", "SCN-1001")


@pytest.mark.parametrize(
    ("error", "code"), [(ForgeDenied("No."), "SCN-1002"), (ZeroDivisionError("secret"), "SCN-0000")]
)
def test_other_errors_end_it_at_once(
    store: Store, make: Make, clock: Clock, error: Exception, code: str
) -> None:
    run_id = start(store)
    assert run_id is not None
    state = drive(store, make(implement=raising(error)), clock, run_id)
    assert (state.status, state.code) == ("failed", code)
    assert "secret" not in state.reason


def test_work_that_is_too_large_to_store_ends_the_run_with_its_reason(
    store: Store, make: Make, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.storage.run_log.MAX_ARTIFACT_BYTES", 10)
    run_id = start(store)
    assert run_id is not None

    def large(_run: str, _state: RunState, _claimed: ClaimedRun) -> PhaseResult[Event]:
        return PhaseResult("done", artifacts={"work.bundle": b"x" * 11})

    state = drive(store, make(implement=large), clock, run_id)
    assert (state.status, state.code) == ("failed", "SCN-6002")
    assert "Keep generated and binary files out" in state.reason


def test_a_conclusion_that_fails_is_an_end_too(store: Store, make: Make, clock: Clock) -> None:
    run_id = start(store)
    assert run_id is not None
    driver = make(prepare=raising(ForgeDenied("No.")), conclude=raising(ForgeDenied("Nor this.")))
    assert drive(store, driver, clock, run_id).status == "failed"


def test_a_run_that_kills_its_workers_is_ended(store: Store, make: Make, clock: Clock) -> None:
    run_id = start(store)
    assert run_id is not None
    for _ in range(6):
        claim(store, run_id)
        clock.now += 31
    state = drive(store, make(), clock, run_id)
    assert (state.status, state.code) == ("failed", "SCN-6004")


def test_work_that_is_too_large_ends_the_run_with_its_own_code(
    store: Store, make: Make, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.storage.run_log.MAX_ARTIFACT_BYTES", 1000)
    run_id = start(store)
    assert run_id is not None

    def large(_run: str, _state: RunState, _claimed: ClaimedRun) -> PhaseResult[Event]:
        return PhaseResult("done", artifacts={"work.bundle": b"0" * 1001})

    state = drive(store, make(implement=large), clock, run_id)
    assert (state.status, state.code) == ("failed", "SCN-6002")
    assert "work.bundle has 1,001 bytes" in state.reason
    assert store.artifact(run_id, "work.bundle") is None


def test_a_worker_that_stops_gives_its_run_back_unharmed(
    store: Store, make: Make, clock: Clock, tmp_path: Path
) -> None:
    draining = Draining(tmp_path / "stopping", 30)
    begun: list[str] = []

    def prepare(_run: str, _state: RunState, claimed: ClaimedRun) -> PhaseResult[Event]:
        begun.append("prepare")
        draining.begin()
        claimed.log([Controlled(control="resume", by="")])
        raise AssertionError("what was to be stored is stored, and nothing comes after it")

    run = start(store)
    driver = make(draining=draining, prepare=prepare)
    assert not driver.advance(run)
    assert not driver.advance(run), "a worker that stops begins nothing"
    assert begun == ["prepare"]
    assert [entry.event.type for entry in store.entries(run)][-1] == "Controlled"
    for _ in range(8):  # more often than a phase may take its worker down
        other = Draining(tmp_path / f"stopping-{_}", 30)

        def again(
            _run: str, _state: RunState, claimed: ClaimedRun, other: Draining = other
        ) -> PhaseResult[Event]:
            other.begin()
            claimed.log([])
            return PhaseResult("done")

        make(draining=other, prepare=again).advance(run)
    assert drive(store, make(), clock, run).status == "done", "no waiting for a lease, and no attempt counted"


def test_a_run_whose_worker_is_gone_goes_on_without_waiting_for_its_lease(
    store: Store, make: Make, clock: Clock
) -> None:
    child = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "from bot.runs.worker_identity import worker_identity; print(worker_identity(), flush=True); "
            "input()",
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdin is not None and child.stdout is not None
    name = child.stdout.readline().strip()
    run, other, elsewhere = (start(store, key, target=key) for key in "abc")
    assert run and other and elsewhere
    assert store.claim(run, ["prepare"], 3600, name)
    mine = store.claim(other, ["prepare"], 3600, worker_identity())
    assert mine
    assert store.claim(elsewhere, ["prepare"], 3600, name.replace("@", "@elsewhere."))
    assert store.free_orphans(is_gone) == []
    child.kill()
    wait_until(lambda: is_gone(name), "the end of the process")  # before anybody has waited for it
    assert store.free_orphans(is_gone) == [(run, "prepare")]
    child.communicate()
    assert is_gone(name) and store.free_orphans(is_gone) == []
    assert drive(store, make(), clock, run).status == "done"
    assert store.is_current(mine)


@pytest.mark.parametrize("name", ["", "host:1", "host:1@place#", "host:x@y#z", "w"])
def test_of_what_is_no_name_of_ours_nothing_is_known(name: str) -> None:
    assert not is_gone(name)


def test_a_database_that_is_away_for_a_while_ends_no_run(store: Store, make: Make, clock: Clock) -> None:
    away = OperationalError("SELECT 1", {}, Exception("the connection is gone"))
    run = start(store)
    driver = make(specify=raising(away, times=2))
    assert driver.advance(run)
    assert not driver.advance(run)
    assert fold(store.entries(run)).status == "active"
    assert not driver.advance(run), "not at once"
    clock.now += 2.1  # far less than a lease
    assert not driver.advance(run), "it is away again"
    clock.now += 2.1
    assert not driver.advance(run), "the next attempt is further off"
    clock.now += 2.1
    assert driver.advance(run)
    assert drive(store, driver, clock, run).status == "done"


def test_a_claim_is_released_as_soon_as_the_database_is_back(
    store: Store, make: Make, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = OperationalError("SELECT 1", {}, Exception("the connection is gone"))
    put_off, tried = store.put_off, []

    def gone(claim: RunClaim, seconds: float) -> bool:
        tried.append(seconds)
        if len(tried) < 3:
            raise away
        return put_off(claim, seconds)

    monkeypatch.setattr(store, "put_off", gone)
    run = start(store)
    driver = make(prepare=raising(away, times=1))
    assert not driver.advance(run)
    assert tried == [2.0] * 3
    clock.now += 2.1
    assert driver.advance(run)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "no space is left"),
        (OSError(errno.EROFS, "Read-only file system"), "read-only"),
        (MemoryError(), "no memory is left"),
        (
            GitFailed("git worktree failed (exit 128): fatal: write error: No space left on device."),
            "no space is left",
        ),
    ],
)
def test_trouble_of_the_machine_is_waited_for(
    store: Store, make: Make, clock: Clock, error: Exception, words: str
) -> None:
    run = start(store)
    assert drive(store, make(specify=raising(error, times=3)), clock, run).status == "done"
    delayed = [entry.event for entry in store.entries(run) if isinstance(entry.event, PhaseDelayed)]
    assert [each.code for each in delayed] == ["SCN-6005"] * 3
    assert words in delayed[0].reason


def test_another_error_of_the_system_is_a_defect(store: Store, make: Make, clock: Clock) -> None:
    run = start(store)
    state = drive(store, make(specify=raising(FileNotFoundError(2, "gone"), times=1)), clock, run)
    assert (state.status, state.code) == ("failed", "SCN-0000")


def test_a_phase_that_cannot_be_stopped_ends_its_process(
    store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.runs.lease_keeping._LOOK_S", 0.01)
    monkeypatch.setattr("bot.runs.lease_keeping._LEAVE_S", 0.05)
    run_id = start(store, "one") or ""
    abandoned = threading.Event()

    def deaf(_run: str, _state: RunState, claimed: ClaimedRun) -> PhaseResult[Event]:
        (fence,) = {row.fence for row in silent_runs(store.engine, clock.now, -1)}
        assert store.take_away(run_id, fence)
        assert claimed.cancel.wait(60) and abandoned.wait(60), "it is told to stop, and goes on"
        return PhaseResult("done")

    changed: Callable[[str, Phase | None], None] = lambda run, following: None  # noqa: E731
    driver = Driver(
        store, {"prepare": deaf}, worker="w", lease_seconds=30, changed=changed, abandon=abandoned.set
    )
    assert not driver.advance(run_id)
    assert abandoned.is_set()
    polite = Driver(
        store,
        {"prepare": lambda _run, _state, _claimed: PhaseResult("done")},
        worker="w",
        lease_seconds=30,
        changed=changed,
        abandon=lambda: pytest.fail("this phase ended by itself"),
    )
    assert polite.advance(run_id)
