"""What wakes the workers after a run was started or its course was changed."""

from typing import cast

from bot.log.events import Controlled, Phase
from bot.storage.store import Store
from bot.worker.celery_app import WakeUps
from bot.worker.waking import Waking
from tests.support.launches import prepared
from tests.support.stores import claim, start


class Noted:
    """Stands for `WakeUps` and notes what is sent; with `broken` nothing can be."""

    def __init__(self, *, broken: bool = False) -> None:
        self.sent: list[tuple[str, ...]] = []
        self._broken = broken

    def run(self, run_id: str, phase: Phase, _seconds: float = 0.0) -> None:
        self._send("run", run_id, phase)

    def report(self, run_id: str) -> None:
        self._send("report", run_id)

    def _send(self, *what: str) -> None:
        if self._broken:
            raise ConnectionError("no broker")
        self.sent.append(what)


def test_a_resumed_run_goes_on_and_a_paused_one_lets_the_next_begin(store: Store) -> None:
    first, second = start(store, "1"), start(store, "2")
    assert first is not None and second is not None
    noted = Noted()
    waking = Waking(store, cast(WakeUps, noted))
    claim(store, first)
    assert store.control(first, Controlled(control="pause", by="ada"))
    waking.controlled(first)
    assert noted.sent == [("run", second, "prepare"), ("report", first)]
    noted.sent.clear()
    assert store.control(first, Controlled(control="resume", by="ada"))
    waking.controlled(first)
    assert noted.sent == [("run", first, "prepare"), ("report", first)]


def test_a_broker_that_is_down_is_no_error(store: Store) -> None:
    run_id = start(store)
    assert run_id is not None
    waking = Waking(store, cast(WakeUps, Noted(broken=True)))
    waking.started(run_id)
    waking.controlled(run_id)


def test_a_run_that_is_done_elsewhere_wakes_no_runs_worker(store: Store) -> None:
    here, there = prepared(store, "here", "celery"), prepared(store, "there")
    noted = Noted()
    waking = Waking(store, cast(WakeUps, noted))
    waking.changed(there, "specify")
    assert noted.sent == [("report", there)]
    waking.changed(there, "publish")
    waking.changed(here, "specify")
    assert [sent for sent in noted.sent if sent[0] == "run"] == [
        ("run", there, "publish"),
        ("run", here, "specify"),
    ]
