"""A machine takes more runs only while it has memory and processors for them."""

from collections.abc import Callable
from pathlib import Path

import pytest

from bot.config.settings import Settings
from bot.runs.draining import Draining
from bot.runs.worker_identity import worker_identity
from bot.storage.store import Store
from bot.worker import room
from bot.worker.celery_app import WakeUps
from bot.worker.room import available_mb, lacking
from bot.worker.worker import Worker
from tests.support.launches import prepared

MEMINFO = "MemTotal:       16000000 kB\nMemFree:          100000 kB\nMemAvailable:    4194304 kB\n"


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One with 4 GB of memory available, two processors and a load of 3."""
    file = tmp_path / "meminfo"
    file.write_text(MEMINFO)
    monkeypatch.setattr(room, "MEMINFO", file)
    monkeypatch.setattr("os.getloadavg", lambda: (3.0, 1.0, 1.0))
    monkeypatch.setattr("os.cpu_count", lambda: 2)


def test_memory_that_is_only_cached_is_available() -> None:
    assert available_mb(MEMINFO) == 4096


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, ""),
        ({"spare_memory_mb": 4096}, ""),
        ({"spare_memory_mb": 4097}, "only 4,096 MB of memory are available"),
        ({"most_load": 1.5}, ""),
        ({"most_load": 1.4}, "the load is 1.5 per processor"),
    ],
)
def test_what_is_lacking_is_said(machine: None, settings: dict[str, float], said: str) -> None:
    assert lacking(Settings.model_validate(settings)) == said


def test_a_full_machine_works_on_one_run_and_takes_no_second_one(
    machine: None, sqlite_store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[str] = []
    monkeypatch.setattr(
        "bot.runs.driver.Driver.work", lambda _self, run_id, _fence: bool(taken.append(run_id))
    )

    def worker(**limits: float) -> Callable[..., bool]:
        given = {"state_dir": tmp_path, "database_url": str(sqlite_store.engine.url), **limits}
        draining = Draining(tmp_path / "stopping", 5)
        return Worker(Settings.model_validate(given), WakeUps(None), ["runs"], draining).advance

    full, roomy, unlimited = worker(most_load=1.0), worker(most_load=2.0), worker()
    first, second = (prepared(sqlite_store, key, runner="celery") for key in "12")
    full(first)
    assert taken == [first], "nothing is worked on here"
    claim = sqlite_store.claim(first, ["specify"], 30, "elsewhere:1@other.1#1")
    assert claim is not None
    full(second)
    assert taken == [first, second], "what another machine works on does not count"
    sqlite_store.release(claim)
    assert sqlite_store.claim(first, ["specify"], 30, worker_identity()) is not None
    full(second)
    assert taken == [first, second], "this machine is full"
    roomy(second)
    unlimited(second)
    assert taken == [first, second, second, second]
