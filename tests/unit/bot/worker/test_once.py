"""`scenarist worker --once`: one run, and only as long as its fence says so."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.config.settings import Settings
from bot.log.events import Controlled
from bot.runs.control import RunUnknown
from bot.runs.draining import Draining
from bot.storage.database import connect, migrate
from bot.storage.store import Store
from bot.worker.once import work_once
from tests.support.launches import prepared


@pytest.fixture
def settings(tmp_path: Path, closed_port: int) -> Settings:
    broker = f"redis://127.0.0.1:{closed_port}/0"
    return Settings.model_validate({"state_dir": tmp_path, "broker_url": broker, "model_name": "m"})


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    engine = connect(settings.database)
    migrate(engine)
    before = signal.getsignal(signal.SIGTERM)
    yield Store(engine)
    signal.signal(signal.SIGTERM, before)
    engine.dispose()


def test_a_run_of_another_database_is_an_error(settings: Settings, store: Store, tmp_path: Path) -> None:
    with pytest.raises(RunUnknown, match="in this database"):
        work_once(settings, "01M8GV8BH9EK4Q4XF3YD91CWTE", 1, Draining(tmp_path / "stopping", 5))


def test_a_launch_that_came_too_late_does_nothing(settings: Settings, store: Store, tmp_path: Path) -> None:
    run_id = prepared(store)
    launch = store.runs_to_launch("kubernetes", 9)[0].launch
    for control in ("pause", "resume"):
        store.control(run_id, Controlled.model_validate({"control": control, "by": "ada"}))
    before = store.seq(run_id)
    work_once(settings, run_id, launch.fence, Draining(tmp_path / "stopping", 5))
    assert store.seq(run_id) == before
    assert store.runs_to_launch("kubernetes", 9)[0].launch.fence == launch.fence + 2


def test_one_that_is_in_time_works_under_its_name(settings: Settings, store: Store, tmp_path: Path) -> None:
    run_id = prepared(store)
    launch = store.runs_to_launch("kubernetes", 9)[0].launch
    # The commits of the run are nowhere, so its first phase fails; what counts is who began it.
    work_once(settings, run_id, launch.fence, Draining(tmp_path / "stopping", 5))
    started = [entry.event for entry in store.entries(run_id) if entry.event.type == "PhaseStarted"]
    assert {(each.worker, each.runner) for each in started} == {(launch.name, "kubernetes")}


def test_one_that_is_told_to_stop_begins_nothing(settings: Settings, store: Store, tmp_path: Path) -> None:
    run_id = prepared(store)
    draining = Draining(tmp_path / "stopping", 5)
    draining.begin()
    before = store.seq(run_id)
    work_once(settings, run_id, 1, draining)
    assert store.seq(run_id) == before
