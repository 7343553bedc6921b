"""The reaper takes runs that make no progress from workers that live, and wakes another worker."""

import logging
import time
from pathlib import Path

import pytest

from bot.config.settings import Settings
from bot.log.events import Phase
from bot.runs.draining import Draining
from bot.runs.worker_identity import worker_identity
from bot.storage.database import connect, migrate
from bot.storage.store import Store
from bot.worker.worker import Worker
from tests.support.stores import Clock, start


class Woken:
    """Takes the place of the wake-ups: it only notes them."""

    def __init__(self) -> None:
        self.runs: list[str] = []

    def waiting(self, _queue: str) -> int:
        return 0

    def run(self, run_id: str, _phase: Phase, _seconds: float = 0.0) -> None:
        self.runs.append(run_id)

    def report(self, _run_id: str) -> None:
        return None


def test_a_run_that_makes_no_progress_goes_to_another_worker(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = Settings.model_validate({"state_dir": tmp_path, "stuck_seconds": 600})
    engine = connect(settings.database)
    migrate(engine)
    store, clock, woken = Store(engine), Clock(), Woken()
    store.clock = clock
    clock.now = time.time() - 700
    run_id = start(store, "one") or ""
    held = store.claim(run_id, ["prepare"], 3600, worker_identity())
    assert held is not None
    worker = Worker(settings, woken, ["intake"], Draining(tmp_path / "stopping", 30))
    with caplog.at_level(logging.ERROR):
        worker.reap()
        assert woken.runs == [] and store.is_current(held), "it may have been claimed at this moment"
        worker._store.clock = lambda: time.time() + settings.lease_seconds + 1
        worker.reap()
    assert woken.runs == [run_id] and not store.is_current(held)
    assert "its prepare phase has logged nothing for 73" in caplog.text
    caplog.clear()
    worker.reap()
    assert not caplog.records, "there is nothing more to take away"
    engine.dispose()
