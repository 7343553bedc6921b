"""Metrics: what is counted of a run's events, which labels there are, and who may read them."""

import json
import logging
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from bot.config.settings import Settings
from bot.log.events import Phase, PhaseDelayed, PhaseFinished, PhaseStarted, RunEnded
from bot.storage.database import connect, migrate
from bot.storage.observers import Appended, observe
from bot.storage.run_log import append
from bot.storage.store import Store
from bot.telemetry.counting import EventCounter
from bot.telemetry.exposition import Exposition
from bot.telemetry.health import Health
from bot.telemetry.metrics import REGISTRY, Bounded, counted
from bot.telemetry.server import MetricsAddressTaken, TelemetryServer
from bot.worker.processes import free_port
from runners.contract.events import ModelReplied, ToolCalled, VerdictReached
from runners.counted import count, listen
from runners.models.chat import Reply, TokenUsage, ToolCall
from runners.verify.verdict import Problem, Verdict
from tests.support.stores import claim, start
from tests.support.web_app import Running


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    engine = connect(f"sqlite:///{tmp_path / 'metrics.db'}")
    migrate(engine)
    yield Store(engine)
    engine.dispose()


class Increases:
    """By how much samples have increased since this was made."""

    def __init__(self) -> None:
        self._before = _samples()

    def __call__(self, name: str, **labels: str) -> float:
        key = (f"scenarist_{name}", tuple(sorted(labels.items())))
        return _samples().get(key, 0.0) - self._before.get(key, 0.0)


def _samples() -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    return {
        (
            sample.name,
            tuple(sorted((key, value) for key, value in sample.labels.items() if value)),
        ): sample.value
        for metric in REGISTRY.collect()
        for sample in metric.samples
    }


def called(name: str, capability: str, *, ok: bool) -> ToolCalled:
    return ToolCalled(
        call=ToolCall(id="1", name=name, arguments="{}"),
        ok=ok,
        text="",
        seconds=2.0,
        role="driver",
        capability=capability,
    )


def test_a_runs_events_are_counted_once_each(store: Store) -> None:
    observe(store.engine, EventCounter(repositories=False))
    by = Increases()
    run_id = start(store, "one") or ""
    held = claim(store, run_id)
    usage = TokenUsage(prompt_tokens=900, completion_tokens=60, cached_tokens=400)
    reply = ModelReplied(
        phase="implement",
        reply=Reply(text="", usage=usage, model="qwen"),
        seconds=5.0,
        cost=0.25,
        rescued="hermes",
    )
    red = Verdict(base_sha="a", head_sha="b", problems=(Problem(code="regression", message="m"),) * 2)
    store.log(held, [PhaseStarted(phase="prepare", worker="w"), reply])
    store.log(held, [called("read_file", "files.read", ok=True), called("made_up_by_a_model", "", ok=False)])
    store.log(held, [reply, VerdictReached(verdict=red)])
    store.log(held, [PhaseDelayed(phase="prepare", code="SCN-4001", reason="Away.", seconds=2.0)])
    failed = PhaseFinished(phase="prepare", outcome="failed", reason="Gone.", code="SCN-2001")
    store.finish_phase(held, [failed, RunEnded(status="failed")], {}, phase="prepare", status="failed")

    kind = {"kind": "implement"}
    assert by("runs_requested_total", forge="local", **kind) == 1
    assert by("runs_ended_total", status="failed", forge="local", **kind) == 1
    assert by("phases_ended_total", phase="prepare", outcome="failed", **kind) == 1
    assert by("phase_failures_total", phase="prepare", code="SCN-2001") == 1
    assert by("phase_delays_total", phase="prepare", code="SCN-4001") == 1
    assert by("model_errors_total", code="SCN-4001") == 1
    who = {"role": "driver", "model": "qwen"}
    assert by("tokens_total", type="prompt", **who) == 1000
    assert by("tokens_total", type="cached", **who) == 800
    assert by("tokens_total", type="completion", **who) == 120
    assert by("cost_dollars_total", **who) == 0.5
    assert by("rescued_replies_total", format="hermes", model="qwen") == 2
    assert by("model_reply_seconds_count", **who) == 2
    assert (by("turn_seconds_count", role="driver"), by("turn_seconds_sum", role="driver")) == (2, 14.0)
    assert by("tool_calls_total", tool="read_file", outcome="ok") == 1
    assert by("tool_calls_total", tool="other", outcome="failed") == 1, "a model chooses no label"
    assert by("verdicts_total", status="red") == 1
    assert by("verdict_problems_total", code="regression") == 1


def test_repositories_are_named_only_where_the_operator_wants_it(store: Store) -> None:
    by = Increases()
    observe(store.engine, EventCounter(repositories=False))
    start(store, "one", target="a")
    assert "o/r" not in Exposition(Settings(), store.engine).text().decode()
    observe(store.engine, EventCounter(repositories=True))
    start(store, "two", target="b")
    assert by("runs_requested_total", forge="local", kind="implement", repository="o/r") == 1


def test_what_is_rolled_back_is_not_counted(store: Store) -> None:
    seen: list[Appended] = []
    observe(store.engine, seen.append)
    held = claim(store, start(store, "one") or "")
    assert [entry.seq for each in seen for entry in each.entries] == [1]
    begun = PhaseStarted(phase="prepare", worker="w")
    with store.engine.connect() as db, db.begin() as transaction:
        append(db, held.run_id, [begun], store.clock())
        transaction.rollback()
    store.log(held, [begun])
    assert [entry.seq for each in seen for entry in each.entries] == [1, 2]


def test_an_observer_that_fails_is_logged_and_stops_nothing(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_appended: Appended) -> None:
        raise ZeroDivisionError("no metric")

    observe(store.engine, broken)
    with caplog.at_level(logging.ERROR):
        run_id = start(store, "one") or ""
    assert store.seq(run_id) == 1 and "its new events were not counted" in caplog.text


def test_a_label_has_no_more_than_so_many_values() -> None:
    label = Bounded(most=2)
    assert [label(each) for each in "abcab"] == ["a", "b", "other", "a", "b"]


def test_what_no_event_tells_is_counted_too() -> None:
    by = Increases()
    listen(counted)
    count("command stopped", "timed out")
    count("environment looked up", "hit")
    count("lease lost")
    count("run handed over")
    count("forge requests left", "github", 4321)
    assert by("commands_stopped_total", reason="timed out") == 1
    assert by("environment_lookups_total", result="hit") == 1
    assert by("leases_lost_total") == by("runs_handed_over_total") == 1
    assert REGISTRY.get_sample_value("scenarist_forge_requests_left", {"forge": "github"}) == 4321


def test_gauges_come_from_the_tables_at_the_moment_of_the_scrape(store: Store) -> None:
    exposition = Exposition(Settings(), store.engine)
    assert "scenarist_open_runs{" not in exposition.text().decode()
    claim(store, start(store, "one") or "")
    lines = exposition.text().decode().splitlines()
    assert 'scenarist_open_runs{activity="working",phase="prepare"} 1.0' in lines
    assert "scenarist_database_up 1.0" in lines and 'scenarist_queue_age_seconds{queue="runs"} 0.0' in lines
    store.engine.dispose()
    gone = Exposition(Settings(), connect("sqlite:////nowhere/at/all.db")).text().decode().splitlines()
    assert "scenarist_database_up 0.0" in gone


def test_metrics_are_for_those_with_a_token(store: Store) -> None:
    with Running(store, lambda ids: None, metrics_token="for-monitoring", control_token="operator") as web:
        address = f"{web.url}/metrics"
        refused = httpx.get(address)
        assert refused.status_code == 401 and refused.json()["error"]["code"] == "SCN-1211"
        assert httpx.get(address, headers={"authorization": "Bearer wrong"}).status_code == 401
        assert httpx.get(address, headers={"authorization": "Basic for-monitoring"}).status_code == 401
        for token in ("for-monitoring", "operator"):
            answer = httpx.get(address, headers={"authorization": f"Bearer {token}"})
            assert answer.status_code == 200 and "scenarist_build_info" in answer.text
    with Running(store, lambda ids: None) as web:
        bare = httpx.get(f"{web.url}/metrics", headers={"authorization": "Bearer"})
        assert bare.status_code == 401, "where no token is set, none is right"


def test_deliveries_are_counted_by_what_became_of_them(store: Store) -> None:
    by = Increases()
    with Running(store, lambda ids: None) as web:
        httpx.post(f"{web.url}/webhooks/github", content=b"{}")
        httpx.post(f"{web.url}/webhooks/invented-by-a-stranger", content=b"{}")
    assert by("deliveries_total", forge="github", outcome="not authentic") == 1
    assert by("deliveries_total", forge="other", outcome="unknown forge") == 1


def test_a_process_without_pages_answers_at_an_address_of_its_own(store: Store, tmp_path: Path) -> None:
    settings = Settings.model_validate({"state_dir": tmp_path, "broker_url": "redis://127.0.0.1:1/0"})
    health = Health(settings, store.engine, ["intake"])
    server = TelemetryServer(f"127.0.0.1:{free_port()}", Exposition(settings, None).text, health)
    try:
        url = f"http://127.0.0.1:{server.port}"
        assert "scenarist_disk_free_bytes" in httpx.get(f"{url}/metrics").text
        assert httpx.get(f"{url}/healthz").json() == {"status": "ok"}
        ready = httpx.get(f"{url}/readyz", timeout=60)
        assert ready.status_code == 503 and json.loads(ready.text)["failed"] == ["broker"]
        assert httpx.get(f"{url}/anything").status_code == 404
        with pytest.raises(MetricsAddressTaken):
            TelemetryServer(f"127.0.0.1:{server.port}", bytes, health)
    finally:
        server.stop()


def test_phases_have_a_duration_only_where_they_began_here(store: Store) -> None:
    observe(store.engine, EventCounter(repositories=False))
    by = Increases()
    held = claim(store, start(store, "one") or "")
    phase: Phase = "prepare"
    done = PhaseFinished(phase=phase, outcome="done")
    store.log(held, [done])
    assert by("phase_seconds_count", phase=phase) == 0
    store.log(held, [PhaseStarted(phase=phase, worker="w")])
    store.log(held, [done])
    assert by("phase_seconds_count", phase=phase) == 1


def test_every_metric_is_explained_in_the_documents(store: Store) -> None:
    text = (Path(__file__).parents[4] / "docs" / "operating.md").read_text()
    names = re.findall(r"^# TYPE (\S+)", Exposition(Settings(), store.engine).text().decode(), re.M)
    assert len(names) > 30
    assert [name for name in names if f"`{name}`" not in text] == []
