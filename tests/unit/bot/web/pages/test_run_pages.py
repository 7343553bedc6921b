"""The page of one run: what it shows, what it escapes, and how it follows the log."""

from collections.abc import Iterator

import httpx
import pytest

from bot.log.events import RunEnded
from bot.storage.run_log import put
from bot.storage.store import Store
from bot.web.http.headers import HEADERS
from runners.contract.events import ToolCalled, VerdictReached
from runners.contract.job import log_name
from runners.models.chat import ToolCall
from tests.support import logs
from tests.support.run_logs import DIFF_TEXT, FEATURE_TEXT, append, recorded, stored_run
from tests.support.web_app import Running

NASTY = '<script>alert("x")</script><img src=x onerror=alert(1)>'


@pytest.fixture
def web(sqlite_store: Store) -> Iterator[Running]:
    with Running(sqlite_store, lambda _ids: None) as running:
        yield running


def test_a_proven_run_shows_scenarios_change_verdict_and_conversation(
    web: Running, sqlite_store: Store
) -> None:
    run_id = stored_run(sqlite_store, recorded(), key="demo", feature=FEATURE_TEXT, diff=DIFF_TEXT)
    page = httpx.get(f"{web.url}/runs/{run_id}").text
    assert page.count('class="card green"') == 4 and "Given</b> a cart with" in page
    assert '<span class="added">+    free = goods &gt;= FREE_FROM</span>' in page
    assert "run_tests" in page and "hx-sse:connect" not in page
    assert "Where the time went" in page and "Critical path" in page and '<rect class="critical"' in page
    assert page.count("<li class=") == 6 and "Sign in</a>" in page and 'class="pill green">green' in page


@pytest.mark.parametrize(
    ("events", "colour"),
    [
        (logs.SPECIFIED, "grey"),
        (logs.SENT_BACK, "red"),
        (logs.VERIFIED, "green"),
    ],
)
def test_a_scenario_turns_from_grey_over_red_to_green(
    web: Running, sqlite_store: Store, events: list[logs.Event], colour: str
) -> None:
    run_id = stored_run(sqlite_store, events, key="one")
    assert f'class="card {colour}"' in httpx.get(f"{web.url}/runs/{run_id}").text


@pytest.mark.parametrize(("failures", "colour"), [(["f::Free from 50 euros"], "red"), ([], "amber")])
def test_what_the_model_tried_colours_scenarios_before_the_verdict(
    web: Running, sqlite_store: Store, failures: list[str], colour: str
) -> None:
    data = {"behave": {"passed": 1, "failed": len(failures), "failures": failures}}
    called = logs.CALLED.model_copy(update={"data": data})
    run_id = stored_run(sqlite_store, [*logs.IMPLEMENTING, called], key="one")
    assert f'class="card {colour}"' in httpx.get(f"{web.url}/runs/{run_id}").text


def test_text_of_strangers_is_never_markup(web: Running, sqlite_store: Store) -> None:
    order = logs.ORDER.model_copy(update={"title": NASTY, "requested_by": NASTY})
    requested = logs.REQUESTED.model_copy(update={"order": order, "repo": NASTY})
    called = ToolCalled(
        call=ToolCall(id="1", name=NASTY, arguments=NASTY), ok=True, text=NASTY, seconds=0, role="edit"
    )
    replied = logs.REPLIED.model_copy(update={"reply": logs.REPLIED.reply.model_copy(update={"text": NASTY})})
    spec = logs.SPEC.model_copy(update={"scenarios": (NASTY,)})
    run_id = stored_run(
        sqlite_store, [requested, *logs.SPECIFYING[1:], spec, replied, called], key="x", diff=NASTY
    )
    page = httpx.get(f"{web.url}/runs/{run_id}").text
    assert "<img" not in page and "<script>" not in page
    assert page.count("&lt;img src=x onerror=alert(1)&gt;") >= 6


def test_long_output_is_cut_and_can_be_had_whole(web: Running, sqlite_store: Store) -> None:
    text = "\n".join(f"line {n} of the output" for n in range(500))
    called = logs.CALLED.model_copy(update={"text": text})
    run_id = stored_run(sqlite_store, [*logs.IMPLEMENTING, called], key="long")
    page = httpx.get(f"{web.url}/runs/{run_id}").text
    seq = len(logs.IMPLEMENTING) + 1
    assert "line 250 of" not in page and "line 499 of" in page and "Show 468 more lines" in page
    whole = httpx.get(f"{web.url}/runs/{run_id}/entries/{seq}")
    part = httpx.get(f"{web.url}/runs/{run_id}/entries/{seq}", headers={"HX-Request": "true"})
    assert "line 250 of" in whole.text and "</html>" in whole.text
    assert "line 250 of" in part.text and "</html>" not in part.text
    assert httpx.get(f"{web.url}/runs/{run_id}/entries/{seq + 1}").status_code == 404


def test_the_log_of_each_command_of_each_verdict_can_be_read(web: Running, sqlite_store: Store) -> None:
    again = [logs.VERIFYING[-1], VerdictReached(verdict=logs.GREEN)]
    run_id = stored_run(sqlite_store, [*logs.SENT_BACK, *again], key="logs")
    digest = logs.GREEN.evidence[0].log_sha256
    page = httpx.get(f"{web.url}/runs/{run_id}").text
    assert page.count(f'href="/runs/{run_id}/logs/{digest}"') == 2 and "Verdict 1:" in page
    assert "scenarios on the old code, old code" not in page and "exit 1" in page
    address = f"{web.url}/runs/{run_id}/logs/{digest}"
    missing = httpx.get(f"{web.url}/runs/{run_id}/logs/{'f' * 64}")
    assert "There is no such log" in missing.text and missing.status_code == 404
    with sqlite_store.engine.begin() as db:
        put(db, run_id, {log_name(digest): f"Failing scenarios: {NASTY}".encode()})
    whole, part = httpx.get(address), httpx.get(address, headers={"HX-Request": "true"})
    for answer in (whole, part):
        assert "Failing scenarios: &lt;script&gt;" in answer.text and "<script>a" not in answer.text
    assert "</html>" in whole.text and "</html>" not in part.text
    assert httpx.get(f"{web.url}/runs/{run_id}/logs/%2e%2e").status_code == 404


def test_the_live_page_hears_what_is_new_and_when_the_run_has_ended(
    web: Running, sqlite_store: Store
) -> None:
    run_id = stored_run(sqlite_store, logs.IMPLEMENTING, key="live")
    known = len(logs.IMPLEMENTING)
    assert f"/live?after={known}" in httpx.get(f"{web.url}/runs/{run_id}").text
    with httpx.stream("GET", f"{web.url}/runs/{run_id}/live?after={known}", timeout=60) as stream:
        lines = stream.iter_lines()
        assert next(lines) == "retry: 2000"
        append(sqlite_store, run_id, logs.CALLED.model_copy(update={"text": "a new answer"}))
        first = _message(lines)
        assert f"id: {known + 1}" in first and any("a new answer" in line for line in first)
        assert any('hx-target="#now"' in line for line in first)
        append(sqlite_store, run_id, RunEnded(status="done"))
        second = _message(lines)
        assert any("The run ended: done" in line for line in second)
        assert not any("a new answer" in line or 'hx-target="#scenarios"' in line for line in second)
        assert "event: end" in _message(lines)
        assert list(lines) == []


def test_a_lost_connection_goes_on_behind_the_last_event(web: Running, sqlite_store: Store) -> None:
    run_id = stored_run(
        sqlite_store, [*logs.IMPLEMENTING, logs.CALLED, RunEnded(status="failed")], key="again"
    )
    last = len(logs.IMPLEMENTING) + 1
    answer = httpx.get(
        f"{web.url}/runs/{run_id}/live?after=0", headers={"Last-Event-ID": str(last)}, timeout=60
    )
    assert f'id="e{last + 1}"' in answer.text and f'id="e{last}"' not in answer.text


def test_every_page_forbids_inline_scripts_frames_and_guessing(web: Running, sqlite_store: Store) -> None:
    run_id = stored_run(sqlite_store, logs.IMPLEMENTING, key="x")
    for path in ("/runs", f"/runs/{run_id}", "/runs/none", "/static/htmx.min.js", "/healthz"):
        answer = httpx.get(f"{web.url}{path}")
        assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS, path
        assert "unsafe-inline" not in answer.headers["content-security-policy"]


def test_static_files_are_kept_by_browsers_and_nothing_else_is_served(web: Running) -> None:
    answer = httpx.get(f"{web.url}/static/scenarist.css")
    assert (
        answer.headers["content-type"].startswith("text/css")
        and "immutable" in answer.headers["cache-control"]
    )
    assert httpx.get(f"{web.url}/static/..%2Fapp.py").status_code == 404


def _message(lines: Iterator[str]) -> list[str]:
    """The lines of the next event of a stream; comments and `retry` are passed over."""
    found: list[str] = []
    for line in lines:
        if line:
            found.append(line)
        elif any(each.startswith("data:") for each in found):
            return found
        else:
            found = []
    return found
