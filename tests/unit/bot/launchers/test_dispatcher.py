"""The dispatcher over a launcher that only notes what it is asked for."""

import contextlib
import logging
import threading
from collections.abc import Callable, Iterator, Sequence

import pytest

from bot.launchers.dispatcher import Dispatcher
from bot.launchers.kubernetes.ends import PodOutOfMemory
from bot.launchers.launcher import Launched, LauncherUnavailable, LaunchFailure, LaunchRefused
from bot.log.events import Controlled, PhaseDelayed, PhaseFinished
from bot.runs.driver import Driver
from bot.storage.launches import Launch, WaitingRun
from bot.storage.store import Store, new_id
from runners.contract.operator_limits import Runner
from tests.support.launches import prepared
from tests.support.stores import Clock
from tests.support.waiting import wait_until


class Noting:
    """A launcher in memory. `refuses` and `away` are raised."""

    runner: Runner = "kubernetes"
    most = 2

    def __init__(self) -> None:
        self.known: dict[str, Launched] = {}
        self.asked: list[str] = []
        self.stopped: list[str] = []
        self.refuses: LaunchRefused | None = None
        self.away: LauncherUnavailable | None = None

    def launch(self, run: WaitingRun) -> None:
        self.asked.append(run.launch.name)
        if self.refuses is not None:
            raise self.refuses
        self.known.setdefault(run.launch.name, Launched(run.launch))

    def launched(self) -> Sequence[Launched]:
        if self.away is not None:
            raise self.away
        return list(self.known.values())

    def stop(self, launch: Launch) -> None:
        self.stopped.append(launch.name)
        self.known.pop(launch.name, None)

    @contextlib.contextmanager
    def watching(self, changed: Callable[[], None]) -> Iterator[None]:
        yield


@pytest.fixture
def launcher() -> Noting:
    return Noting()


def dispatcher(store: Store, launcher: Noting, name: str = "dispatcher") -> Dispatcher:
    driver = Driver(store, {}, worker=name, lease_seconds=30, changed=lambda _run, _following: None)
    return Dispatcher(store, launcher, driver, holder=name, lease_seconds=30, leave_seconds=0)


def codes(store: Store, run_id: str) -> list[str]:
    events = [entry.event for entry in store.entries(run_id)]
    return [each.code for each in events if isinstance(each, PhaseDelayed | PhaseFinished) and each.code]


def test_a_waiting_run_is_launched_once_and_left_alone_while_it_is_worked_on(
    store: Store, clock: Clock, launcher: Noting
) -> None:
    run_id = prepared(store)
    one, two = dispatcher(store, launcher), dispatcher(store, launcher, "other")
    for each in (one, two, one):
        each.once()
    (launched,) = launcher.known.values()
    assert launched.launch == Launch(run_id=run_id, fence=1) and launcher.asked == [launched.launch.name]
    held = store.claim(run_id, ["specify"], 30, launched.launch.name, fence=1)
    assert held is not None
    store.finish_phase(held, [], {}, phase="implement")
    one.once()
    assert len(launcher.asked) == 1, "its worker goes on with the next phase itself"
    assert launcher.stopped == []


def test_a_cancelled_run_has_its_launch_stopped(store: Store, clock: Clock, launcher: Noting) -> None:
    run_id = prepared(store)
    subject = dispatcher(store, launcher)
    subject.once()
    subject.once()
    assert launcher.stopped == []
    store.control(run_id, Controlled(control="cancel", by="ada"))
    subject.once()
    assert launcher.stopped == [Launch(run_id=run_id, fence=1).name] and launcher.known == {}


def test_a_silent_launch_is_replaced(store: Store, clock: Clock, launcher: Noting) -> None:
    run_id = prepared(store)
    subject = dispatcher(store, launcher)
    subject.once()
    old = Launch(run_id=run_id, fence=1)
    assert store.claim(run_id, ["specify"], 30, old.name, fence=1) is not None
    clock.now += 31
    subject.once()
    assert launcher.stopped == [old.name]
    assert list(launcher.known) == [Launch(run_id=run_id, fence=2).name]


def test_a_failure_delays_the_phase_and_the_next_one_ends_the_run(
    store: Store, clock: Clock, launcher: Noting
) -> None:
    run_id = prepared(store)
    subject = dispatcher(store, launcher)
    subject.once()
    first = Launch(run_id=run_id, fence=1)
    assert store.claim(run_id, ["specify"], 30, first.name, fence=1) is not None
    failure = LaunchFailure(PodOutOfMemory("It used too much."), repeats=1)
    launcher.known = {first.name: Launched(first, ended=True, failure=failure)}
    subject.once()
    subject.once()
    assert codes(store, run_id) == ["SCN-6204"], "it is recorded once"
    clock.now += 60
    subject.once()
    (second,) = (each.launch for each in launcher.known.values() if not each.ended)
    assert second.fence == 3
    launcher.known = {second.name: Launched(second, failure=failure)}
    subject.once()
    assert launcher.stopped == [second.name], "one that has not ended is stopped"
    assert codes(store, run_id) == ["SCN-6204", "SCN-6204"]
    assert store.status(run_id) == ("active", "conclude")


def test_a_launch_that_ended_before_it_began_gives_its_name_back(
    store: Store, clock: Clock, launcher: Noting
) -> None:
    run_id = prepared(store)
    subject = dispatcher(store, launcher)
    name = Launch(run_id=run_id, fence=1).name
    launcher.known = {name: Launched(Launch(run_id=run_id, fence=1), ended=True)}
    subject.once()
    assert launcher.stopped == [name]
    subject.once()
    assert launcher.asked[-1] == name and not launcher.known[name].ended


def test_a_refused_launch_is_said_in_the_log_of_its_run(store: Store, clock: Clock, launcher: Noting) -> None:
    run_id = prepared(store)
    launcher.refuses = LaunchRefused("Jobs are forbidden.")
    subject = dispatcher(store, launcher)
    subject.once()
    assert codes(store, run_id) == ["SCN-6202"]
    launcher.refuses = None
    clock.now += 60
    subject.once()
    assert list(launcher.known) == [Launch(run_id=run_id, fence=2).name]


def test_no_more_than_its_most_are_launched(store: Store, clock: Clock, launcher: Noting) -> None:
    for key in ("a", "b", "c"):
        prepared(store, key)
    subject = dispatcher(store, launcher)
    subject.once()
    subject.once()
    assert len(launcher.known) == 2


def test_a_launcher_that_is_away_changes_nothing(
    store: Store, clock: Clock, launcher: Noting, caplog: pytest.LogCaptureFixture
) -> None:
    run_id = prepared(store)
    launcher.away = LauncherUnavailable("The API does not answer.")
    subject = dispatcher(store, launcher)
    with caplog.at_level(logging.WARNING):
        subject.once()
        subject.once()
    assert [record.message.split(":")[0] for record in caplog.records] == ["SCN-6201"], "it is said once"
    assert codes(store, run_id) == [] and launcher.asked == []
    launcher.away = None
    subject.once()
    assert len(launcher.asked) == 1


def test_a_launch_of_another_database_is_left_alone(
    store: Store, clock: Clock, launcher: Noting, caplog: pytest.LogCaptureFixture
) -> None:
    foreign = Launch(run_id=new_id(), fence=1)
    launcher.known = {foreign.name: Launched(foreign)}
    subject = dispatcher(store, launcher)
    with caplog.at_level(logging.WARNING):
        subject.once()
        subject.once()
    assert launcher.stopped == [] and len(caplog.records) == 1


def test_a_defect_does_not_end_the_dispatcher(store: Store, clock: Clock, launcher: Noting) -> None:
    prepared(store)
    broken, stopping = [RuntimeError("a defect")], threading.Event()
    listed = launcher.launched

    def launched() -> Sequence[Launched]:
        if broken:
            raise broken.pop()
        return listed()

    launcher.launched = launched
    thread = threading.Thread(target=dispatcher(store, launcher).run, args=(stopping, 0.01))
    thread.start()
    wait_until(lambda: launcher.asked, "a launch")
    stopping.set()
    thread.join()
    assert broken == [] and len(launcher.asked) == 1
