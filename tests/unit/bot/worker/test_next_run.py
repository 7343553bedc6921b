"""A worker that waits for one run: it takes the one that is due longest, and leaves."""

import os
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from bot.config.settings import Settings
from bot.log.events import RUNNER_PHASES
from bot.storage.store import Store
from bot.worker import once
from bot.worker.machine import environment
from bot.worker.once import take_next
from bot.worker.processes import scenarist
from tests.support.launches import prepared
from tests.support.waiting import wait_until


@pytest.fixture
def store(sqlite_store: Store) -> Store:
    return sqlite_store


def claiming(store: Store, taken: list[str]) -> Callable[[str, int], bool]:
    """What a worker does with a run, as far as it matters here: it claims it."""

    def advance(run_id: str, fence: int) -> bool:
        claim = store.claim(run_id, RUNNER_PHASES, 30, runner="kubernetes", fence=fence)
        if claim is not None:
            taken.append(run_id)
        return claim is not None

    return advance


def test_the_run_that_is_due_longest_is_taken_and_no_second_one(store: Store) -> None:
    first, second = prepared(store, "1"), prepared(store, "2")
    prepared(store, "3", runner="celery")
    taken: list[str] = []
    advance = claiming(store, taken)
    assert take_next(store, "kubernetes", advance, 0, threading.Event())
    assert taken == [first]
    assert take_next(store, "kubernetes", advance, 0, threading.Event())
    assert not take_next(store, "kubernetes", advance, 0, threading.Event())
    assert taken == [first, second], "the third is done by Celery's workers"


def test_of_several_that_wait_one_gets_the_run(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(once, "_LOOK_S", 0.01)
    taken: list[str] = []
    ended: list[bool] = []
    stopping = threading.Event()

    def wait() -> None:
        ended.append(take_next(store, "kubernetes", claiming(store, taken), 300, stopping))

    waiting = [threading.Thread(target=wait) for _ in range(3)]
    for each in waiting:
        each.start()
    run = prepared(store)
    wait_until(lambda: ended, "one that took it")
    stopping.set()
    for each in waiting:
        each.join()
    assert (taken, sorted(ended)) == ([run], [False, False, True])


def test_one_that_lost_the_first_run_takes_the_next(store: Store) -> None:
    first, second = prepared(store, "1"), prepared(store, "2")
    taken: list[str] = []
    really = claiming(store, taken)

    def advance(run_id: str, fence: int) -> bool:
        return run_id != first and really(run_id, fence)

    assert take_next(store, "kubernetes", advance, 0, threading.Event())
    assert taken == [second]


def test_a_database_that_is_away_is_waited_for(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(once, "_LOOK_S", 0.01)
    run = prepared(store)
    taken: list[str] = []
    look, away = store.runs_to_launch, [True, True]

    def runs_to_launch(*words: Any) -> object:
        if away:
            away.pop()
            raise OperationalError("SELECT", None, Exception("away"))
        return look(*words)

    monkeypatch.setattr(store, "runs_to_launch", runs_to_launch)
    assert take_next(store, "kubernetes", claiming(store, taken), 300, threading.Event())
    assert taken == [run]


def test_one_that_waits_leaves_when_it_is_told_to(store: Store, tmp_path: Path) -> None:
    made = Settings.model_validate(
        {"state_dir": tmp_path, "runner": "kubernetes", "database_url": str(store.engine.url)}
    )
    env = {**os.environ, **environment(made, "redis://127.0.0.1:1/0")}

    with subprocess.Popen(scenarist("worker", "--next", "--wait", "3600"), env=env) as waits:
        wait_until(lambda: _handles_sigterm(waits.pid), "its handler")
        waits.terminate()
        assert waits.wait(300) == 0


def _handles_sigterm(pid: int) -> bool:
    status = Path(f"/proc/{pid}/status").read_text()
    caught = next(line for line in status.splitlines() if line.startswith("SigCgt"))
    return bool(int(caught.split()[1], 16) >> 14 & 1)
