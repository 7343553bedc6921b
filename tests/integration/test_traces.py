"""Traces: one a run, from the delivery to the pull request, sent to a small collector by OTLP over HTTP."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from bot.demo.run import DemoOptions, run_demo
from bot.log.events import Entry, PhaseFinished, PhaseStarted, RunEnded
from bot.storage.database import connect
from bot.storage.store import Store
from bot.telemetry.spans import RunTrace
from bot.telemetry.trace_id import trace_id
from tests.support.stores import request
from tests.support.waiting import wait_until


class Collector:
    """Takes spans at `/v1/traces`, as an OpenTelemetry collector does."""

    def __init__(self) -> None:
        self.spans: list[Any] = []
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                assert self.path == "/v1/traces" and self.headers.get("content-encoding") != "gzip"
                export = ExportTraceServiceRequest.FromString(body)
                for resource in export.resource_spans:
                    for scope in resource.scope_spans:
                        collector.spans += scope.spans
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                return None

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"


@pytest.fixture
def collector() -> Iterator[Collector]:
    made = Collector()
    yield made
    made.server.shutdown()
    made.server.server_close()


def test_the_demos_run_is_one_trace_from_delivery_to_pull_request(
    collector: Collector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "200")
    kept = tmp_path / "d"
    assert run_demo(DemoOptions(keep=kept, as_json=True)) == 0
    store = Store(connect(f"sqlite:///{kept / 'scenarist.db'}"))
    (run,) = store.list_runs()
    own = RunTrace(run.id)
    expected = {span.id: span for entry in store.entries(run.id) for span in own.feed(entry)}
    store.engine.dispose()
    wait_until(lambda: len(collector.spans) >= len(expected), "all spans")

    assert {span.trace_id.hex() for span in collector.spans} == {trace_id(run.id)}
    by_id = {int.from_bytes(span.span_id, "big"): span for span in collector.spans}
    assert by_id.keys() == expected.keys() and len(by_id) == len(collector.spans)
    names = [span.name for span in collector.spans]
    phases = ("prepare", "specify", "baseline", "implement", "verify", "publish")
    assert names.count("run") == names.count("delivery") == 1
    assert all(f"invoke_agent {phase}" in names for phase in phases)
    for span in collector.spans:
        path = [span.name.split(" ")[0]]
        while span.parent_span_id:
            child, span = span, by_id[int.from_bytes(span.parent_span_id, "big")]
            path.append(span.name.split(" ")[0])
            assert span.start_time_unix_nano <= child.start_time_unix_nano, (span.name, child.name)
        assert path in (
            ["run"],
            ["delivery", "run"],
            ["invoke_agent", "run"],
            ["turn", "invoke_agent", "run"],
            ["chat", "turn", "invoke_agent", "run"],
            ["execute_tool", "turn", "invoke_agent", "run"],
        )
    chat = next(span for span in collector.spans if span.name.startswith("chat "))
    about = {each.key for each in chat.attributes}
    assert about >= {"gen_ai.operation.name", "gen_ai.request.model", "gen_ai.usage.input_tokens"}


def test_a_run_that_another_worker_continues_continues_its_trace() -> None:
    run_id = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
    events = [
        request("one"),
        PhaseStarted(phase="prepare", worker="a"),
        PhaseStarted(phase="prepare", worker="b"),
        PhaseFinished(phase="prepare", outcome="done"),
        RunEnded(status="done"),
    ]
    log = [
        Entry(seq=seq, at=f"2026-11-28T08:00:0{seq}.000+00:00", event=event)
        for seq, event in enumerate(events, 1)
    ]
    first, second = RunTrace(run_id), RunTrace(run_id)
    before = [span for entry in log[:2] for span in first.feed(entry)]
    after = [[*second.feed(entry)] for entry in log][2:]
    assert [span.name for span in before] == ["delivery"]
    (left,), (done,), (whole,) = after
    assert (left.name, left.error) == ("invoke_agent prepare", "The worker left.")
    assert (done.name, done.error) == ("invoke_agent prepare", "")
    assert left.id != done.id and left.parent == done.parent == whole.id == before[0].parent
    assert whole.parent is None and whole.end - whole.start == 4.0


def test_without_the_variable_nothing_of_opentelemetry_is_imported() -> None:
    code = (
        "import sys, bot.worker.worker as w\n"
        "from bot.storage.database import connect\n"
        "w.trace_runs(connect('sqlite://'))\n"
        "print(sorted(name for name in sys.modules if name.startswith('opentelemetry')))\n"
    )
    for variables, found in (({}, "[]\n"), ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}, "")):
        done = subprocess.run(
            [sys.executable, "-c", code],
            env={"PATH": "/usr/bin:/bin", **variables},
            cwd=Path(__file__).parents[2],
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout == found if found else "opentelemetry.sdk" in done.stdout
