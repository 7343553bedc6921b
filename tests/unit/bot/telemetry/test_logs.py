"""The log: what an entry is about, as text and as JSON, in threads too, and never with a secret."""

import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from structlog.contextvars import bound_contextvars

from bot.config.settings import Settings, secret_variables
from bot.log.events import Event
from bot.log.state import RunState
from bot.runs.claimed_run import ClaimedRun
from bot.runs.driver import Driver
from bot.storage.database import connect, migrate
from bot.storage.store import Store
from bot.telemetry import logs
from bot.telemetry.logs import hide, start_logging
from bot.telemetry.trace_id import trace_id
from gherkin.errors import described
from runners.contract.job import PhaseResult
from tests.support.stores import start
from tests.support.web_app import Running

Start = Callable[..., Callable[[], str]]


@pytest.fixture
def log_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Start the log of a process in a file; returns what reads it. Everything is as before afterwards."""
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    monkeypatch.setattr(logs, "_redaction", logs._Redaction())

    def begin(**settings: object) -> Callable[[], str]:
        file = tmp_path / "process.log"
        start_logging(Settings.model_validate({"state_dir": tmp_path, **settings}), file)
        return file.read_text

    yield begin
    for handler in list(root.handlers):
        root.removeHandler(handler)
        handler.close()
    for handler in before:
        root.addHandler(handler)
    root.setLevel(level)
    logging.captureWarnings(False)


log = logging.getLogger("bot.somewhere")


def test_an_entry_says_what_it_is_about(log_to: Start) -> None:
    read = log_to(log_format="json")
    with bound_contextvars(run="01ARZ3NDEKTSV4RRFFQ69G5FAV", phase="verify", repository="o/r"):
        log.warning("%d of %d", 3, 4)
    log.info("alone")
    first, second = map(json.loads, read().splitlines())
    assert first.pop("timestamp").endswith("Z")
    assert first == {
        "event": "3 of 4",
        "level": "warning",
        "logger": "bot.somewhere",
        "run": "01ARZ3NDEKTSV4RRFFQ69G5FAV",
        "phase": "verify",
        "repository": "o/r",
    }
    assert second.keys() == {"timestamp", "event", "level", "logger"}


def test_the_text_form_is_one_line_an_entry(log_to: Start) -> None:
    read = log_to()
    with bound_contextvars(delivery="D1", repository=""):
        log.warning("It is\nodd\x1b.")
    assert read().partition(" ")[2] == "WARNING bot.somewhere: It is\\nodd\\x1b. [delivery=D1]\n"


def test_the_trace_is_named_where_traces_are_on(log_to: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318")
    read = log_to(log_format="json")
    run = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
    with bound_contextvars(run=run):
        log.warning("traced")
    assert json.loads(read())["trace_id"] == trace_id(run) == "01563e3ab5d3d6764c61efb99302bd5b"


def test_a_phase_and_its_companion_are_named_in_what_they_log(log_to: Start, tmp_path: Path) -> None:
    read = log_to(log_format="json")
    engine = connect(f"sqlite:///{tmp_path / 'logs.db'}")
    migrate(engine)
    store = Store(engine)
    run_id = start(store, "one") or ""

    def talks(_run: str, _state: RunState, _claimed: ClaimedRun) -> PhaseResult[Event]:
        log.warning("working")
        return PhaseResult("done")

    driver = Driver(
        store,
        {"prepare": talks, "specify": talks, "baseline": talks},
        worker="w",
        lease_seconds=30,
        changed=lambda run, following: None,
    )
    driver.work(run_id)
    engine.dispose()
    said = [json.loads(line) for line in read().splitlines()]
    about = {(each["run"], each["repository"], each["phase"]) for each in said if each["event"] == "working"}
    assert about == {(run_id, "o/r", phase) for phase in ("prepare", "specify", "baseline")}
    log.warning("afterwards")
    assert "run" not in json.loads(read().splitlines()[-1])


CANARIES = {
    "a setting": "canary-control-1f3a",
    "the database": "canary-database-77",
    "the broker": "canary-broker-9e21",
    "a model's key": "canary-models-key-5c",
    "a variable": "canary-variable-40d2",
}


@pytest.mark.parametrize("kind", ["json", "console"])
def test_no_secret_reaches_the_log(log_to: Start, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_MODEL_API_KEY", CANARIES["a variable"])
    read = log_to(
        log_format=kind,
        control_token=CANARIES["a setting"],
        database_url=f"postgresql://bot:{CANARIES['the database']}@db.example/x",
        broker_url=f"redis://:{CANARIES['the broker']}@redis.example/0",
    )
    hide([CANARIES["a model's key"]])
    token = "ghs_" + "a1B2" * 10
    for secret in (*CANARIES.values(), token, "postgresql://a:some-password-of-theirs@db/x"):
        with bound_contextvars(repository=f"o/{secret}"):
            log.warning("in the text: %s", secret)
            log.warning("an error: %s", described(ConnectionError(f"refused for {secret}")))
            try:
                raise ValueError(f"in a trace: {secret}")
            except ValueError:
                log.exception("it broke")
    said = read()
    for name, secret in {**CANARIES, "a token": token, "a password": "some-password-of-theirs"}.items():
        assert secret not in said, name
    # The control: all of it was logged, only the secrets are not in it.
    assert said.count("in the text: ") == said.count("it broke") == len(CANARIES) + 2
    assert said.count("in a trace: ") >= len(CANARIES) + 2
    assert said.count("[redacted]") >= 3 * (len(CANARIES) + 2)


def test_which_variables_hold_secrets() -> None:
    environ = {
        "GITHUB_TOKEN": "12345678",
        "OTEL_EXPORTER_OTLP_HEADERS": "authorization=abc",
        "SCENARIST_MODEL_API_KEY": "abcdefgh",
        "PATH": "/usr/bin:/bin",
        "SHORT_TOKEN": "1",
    }
    assert secret_variables(environ) == ["12345678", "authorization=abc", "abcdefgh"]


def test_an_error_is_told_with_its_message_in_one_line() -> None:
    assert described(ValueError("first\nsecond")) == "ValueError: first"
    assert described(TimeoutError()) == "TimeoutError"
    assert len(described(ValueError("x" * 1000))) == 300


def test_the_page_of_a_run_names_its_trace_where_traces_are_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = connect(f"sqlite:///{tmp_path / 'page.db'}")
    migrate(engine)
    store = Store(engine)
    run_id = start(store, "one") or ""
    with Running(store, lambda ids: None) as web:
        assert trace_id(run_id) not in httpx.get(f"{web.url}/runs/{run_id}").text
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318")
        assert f"trace <code>{trace_id(run_id)}</code>" in httpx.get(f"{web.url}/runs/{run_id}").text
    engine.dispose()
