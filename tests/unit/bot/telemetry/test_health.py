"""Health checks: what is wrong is named, a server that hangs delays nobody, and nothing secret is said."""

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from bot.config.settings import Settings
from bot.log.events import PhaseStarted, StatusPosted
from bot.storage.database import connect, migrate
from bot.storage.store import Store
from bot.telemetry import health
from bot.telemetry.health import CheckResult, Health, models_answer, queue_moves, runs_progress
from tests.support.stores import Clock, claim, start
from tests.support.web_app import Running
from tests.support.web_server import page, serving


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    engine = connect(f"sqlite:///{tmp_path / 'health.db'}")
    migrate(engine)
    yield Store(engine)
    engine.dispose()


@pytest.fixture
def away(tmp_path: Path, closed_port: int) -> dict[str, object]:
    """Settings of which nothing but the database is there."""
    return {
        "state_dir": tmp_path,
        "broker_url": f"redis://:broker-secret@127.0.0.1:{closed_port}/0",
        "model_url": f"http://127.0.0.1:{closed_port}/v1",
        "model_api_key": "model-secret",
    }


def test_readyz_names_what_is_wrong(store: Store, away: dict[str, object]) -> None:
    with Running(store, lambda ids: None, **away) as web:
        answer = httpx.get(f"{web.url}/readyz", timeout=60)
        assert answer.status_code == 200, "deliveries are taken without broker and model"
        found = answer.json()
        assert found["status"] == "warning" and found["failed"] == []
        states = {name: each["state"] for name, each in found["checks"].items()}
        assert states == {
            "database": "ok",
            "broker": "failed",
            "queue": "ok",
            "runs": "ok",
            "disk": "ok",
            "models": "failed",
        }
        strict = httpx.get(f"{web.url}/readyz?strict", timeout=60)
        assert strict.status_code == 503 and strict.json()["failed"] == ["broker", "models"]
        assert "secret" not in strict.text and httpx.get(f"{web.url}/healthz").json() == {"status": "ok"}


def test_without_its_database_the_web_app_is_not_ready(tmp_path: Path) -> None:
    folder = tmp_path / "gone"
    store = Store(connect(f"sqlite:///{folder / 'health.db'}"))
    with Running(store, lambda ids: None, state_dir=tmp_path) as web:
        answer = httpx.get(f"{web.url}/readyz", timeout=60)
        assert answer.status_code == 503 and answer.json()["failed"] == ["database"]
        assert "does not answer (OperationalError)" in answer.json()["checks"]["database"]["said"]


def test_a_worker_needs_its_broker_and_its_models(store: Store, away: dict[str, object]) -> None:
    settings = Settings.model_validate(away)
    assert Health(settings, store.engine, ["runs"]).report()[1]["failed"] == ["broker", "models"]
    assert Health(settings, store.engine, ["intake"]).report()[1]["failed"] == ["broker"]


def test_a_server_that_never_answers_delays_nobody(
    store: Store, away: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "_PATIENCE_S", 0.2)
    asked, answer = [], threading.Event()

    def hang(*_: object, **__: object) -> CheckResult:
        asked.append(1)
        answer.wait(60)
        return CheckResult("models", "ok", "It answers after all.")

    monkeypatch.setattr(health, "models_answer", hang)
    checks = Health(Settings.model_validate(away), store.engine, ["runs"])
    for _ in range(3):
        assert {each.name: each.said for each in checks.look()}["models"] == "There was no answer within 0 s."
    assert len(asked) == 1, "one thread waits, however often somebody asks"
    answer.set()
    monkeypatch.setattr(health, "_PATIENCE_S", 60)
    assert {each.name: each.said for each in checks.look()}["models"] == "It answers after all."


def test_models_are_asked_once_in_a_while(store: Store, away: dict[str, object]) -> None:
    with serving({"/v1/models": page("{}")}) as (port, requests):
        settings = Settings.model_validate({**away, "model_url": f"http://127.0.0.1:{port}/v1"})
        checks = Health(settings, store.engine, ["runs"])
        for _ in range(3):
            assert {each.name: each.state for each in checks.look()}["models"] == "ok"
        assert len(requests) == 1


def test_a_key_that_the_server_refuses_is_a_finding(away: dict[str, object]) -> None:
    with serving({"/v1/models": page("{}", status="401 Unauthorized")}) as (port, _):
        settings = Settings.model_validate({**away, "model_url": f"http://127.0.0.1:{port}/v1"})
        assert models_answer(settings, with_keys=True).said == "local answers 401."
        assert models_answer(settings, with_keys=False).state == "ok", "it answers somebody without a key"


def test_work_that_waits_too_long_is_a_finding(store: Store, tmp_path: Path) -> None:
    settings = Settings.model_validate({"state_dir": tmp_path, "queue_seconds": 600, "stuck_seconds": 600})
    store.clock = clock = Clock()
    clock.now = time.time() - 700
    waiting, held = start(store, "one", target="a") or "", start(store, "two", target="b") or ""
    claim(store, held, seconds=3600)
    found = queue_moves(store.engine, settings)
    assert found.state == "failed" and "its prepare phase for 70" in found.said
    found = runs_progress(store.engine, settings)
    assert found.state == "failed" and held in found.todo
    assert held not in found.said, "ids lead to pages, and everybody can read this"
    clock.now = time.time()
    store.note(held, StatusPosted(comment=1))
    store.log(claim(store, waiting), [PhaseStarted(phase="prepare", worker="w")])
    assert queue_moves(store.engine, settings).said == "No run waits for a worker."
    assert runs_progress(store.engine, settings).state == "ok"


def test_a_port_that_takes_connections_and_says_nothing_is_not_a_broker() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"redis://127.0.0.1:{silent.getsockname()[1]}/0"
        found = health.broker_answers(url)
        assert found.state == "failed" and "TimeoutError" in found.said
