"""The web app over a real socket: what is accepted, refused and dropped."""

import hashlib
import hmac
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, get_args
from urllib.parse import quote

import httpx
import pytest
import sqlalchemy as sa

from bot.intake.deliveries import Deliveries
from bot.log.events import Event, RunRequested, WorkLeft
from bot.storage.database import connect
from bot.storage.store import Store
from bot.storage.tables import deliveries
from runners.contract.events import Surveyed
from tests.support import logs
from tests.support.stores import start
from tests.support.web_app import SECRET, Running

STATES: dict[str, list[Event]] = {
    **logs.STATES,
    "work is left": [
        *logs.SENT_BACK,
        WorkLeft(
            commit=logs.HEAD, pull=14, url="https://forge.example/14", reason="The branch is protected."
        ),
    ],
    "surveyed": [*logs.PREPARING, Surveyed(base=logs.BASE, seconds=3.0, seen=("pytest was found.",))],
}


@pytest.fixture
def rung() -> list[str]:
    return []


@pytest.fixture
def web(sqlite_store: Store, rung: list[str]) -> Iterator[Running]:
    def ring(ids: Sequence[str]) -> None:
        rung.extend(ids)

    with Running(sqlite_store, ring) as running:
        yield running


def labelled(label: str = "agent:implement", **more: Any) -> dict[str, Any]:
    return {
        "action": "labeled",
        "sender": {"id": 5, "login": "ada"},
        "repository": {"full_name": "octo/shop"},
        "label": {"name": label},
        "issue": {"number": 7, "title": "A title", "body": None, "updated_at": "2026-11-01T10:00:00Z"},
        **more,
    }


def post(
    web: Running, payload: Any, event: str = "issues", guid: str = "g-1", **headers: str
) -> httpx.Response:
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    signed = "sha256=" + hmac.new(SECRET, body, hashlib.sha256).hexdigest()
    sent = {"X-GitHub-Event": event, "X-GitHub-Delivery": guid, "X-Hub-Signature-256": signed, **headers}
    return httpx.post(f"{web.url}/webhooks/github", content=body, headers=sent)


def stored(store: Store) -> list[str]:
    with store.engine.connect() as db:
        return list(db.execute(sa.select(deliveries.c.id)).scalars())


def test_a_labelled_issue_is_stored_and_rung_for(web: Running, sqlite_store: Store, rung: list[str]) -> None:
    answer = post(web, labelled())
    assert (answer.status_code, answer.json()) == (202, {"status": "stored"})
    ids = stored(sqlite_store)
    assert len(ids) == 1
    delivery = Deliveries(sqlite_store.engine).get(ids[0])
    assert delivery is not None and json.loads(delivery.body) == labelled()
    web.__exit__()
    assert rung == ids


def test_a_redelivery_is_known(web: Running, sqlite_store: Store) -> None:
    assert post(web, labelled()).json() == {"status": "stored"}
    assert post(web, labelled()).json() == {"status": "known"}
    assert post(web, labelled(), guid="g-2").json() == {"status": "stored"}
    assert len(stored(sqlite_store)) == 2


@pytest.mark.parametrize(
    ("payload", "event"),
    [
        (labelled("bug"), "issues"),
        ({**labelled(), "action": "opened"}, "issues"),
        ({"zen": "Keep it logically awesome."}, "ping"),
        ({"anything": [1, 2]}, "an_event_of_tomorrow"),
        ([], "star"),
    ],
)
def test_what_is_not_for_us_is_acknowledged_and_dropped(
    web: Running, sqlite_store: Store, payload: Any, event: str
) -> None:
    answer = post(web, payload, event)
    assert (answer.status_code, answer.json()) == (202, {"status": "ignored"})
    assert stored(sqlite_store) == []


@pytest.mark.parametrize("signature", ["", "sha256=", "sha256=" + "0" * 64, "sha1=abc", "x", "ä"])
def test_a_wrong_signature_is_refused(web: Running, sqlite_store: Store, signature: str) -> None:
    answer = httpx.post(
        f"{web.url}/webhooks/github",
        content=json.dumps(labelled()),
        headers={"X-GitHub-Event": b"issues", "X-Hub-Signature-256": signature.encode()},
    )
    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "SCN-1201"
    assert stored(sqlite_store) == []


@pytest.mark.parametrize(
    ("payload", "event"),
    [
        (b"", "issues"),
        (b"{", "issues"),
        ([], "push"),
        (b"\xff\xfe", "push"),
        (b"not json", "an_event_of_tomorrow"),
        (b"[" * 50_000, "issues"),
        (b"[" * 50_000, "ping"),
        ({"action": "labeled"}, "issues"),
        ({**labelled(), "issue": 5}, "issues"),
        ({**labelled(), "issue": None}, "issues"),
        ({**labelled(), "sender": {"id": "x"}}, "issues"),
        ({**labelled(), "action": "submitted"}, "pull_request_review"),
        ({**labelled(), "action": "created"}, "pull_request_review_comment"),
    ],
)
def test_what_cannot_be_read_is_a_bad_request(
    web: Running, sqlite_store: Store, payload: Any, event: str
) -> None:
    answer = post(web, payload, event)
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"]["code"] == "SCN-1202"
    assert "Traceback" not in answer.text
    assert stored(sqlite_store) == []


def test_a_webhook_that_sends_forms_is_told_to_send_json(web: Running, sqlite_store: Store) -> None:
    form = b"payload=" + quote(json.dumps(labelled())).encode()
    answer = post(web, form)
    assert (answer.status_code, answer.json()["error"]["code"]) == (415, "SCN-1208")
    assert "application/json" in answer.json()["error"]["message"]
    assert post(web, labelled()).status_code == 202 and len(stored(sqlite_store)) == 1


def test_a_delivery_needs_its_headers(web: Running) -> None:
    assert post(web, labelled(), guid="").json()["error"]["code"] == "SCN-1204"


def test_a_large_body_is_refused_announced_or_not(web: Running) -> None:
    big = b'{"a":"' + b"x" * 100_000 + b'"}'
    assert post(web, big).status_code == 413

    def pieces() -> Iterator[bytes]:
        for _ in range(20):
            yield b"x" * 10_000

    answer = httpx.post(f"{web.url}/webhooks/github", content=pieces())
    assert answer.status_code == 413
    assert post(web, labelled()).status_code == 202, "and the next one is taken"


def test_a_forge_without_a_secret_takes_nothing(web: Running) -> None:
    empty = hmac.new(b"", b"{}", hashlib.sha256).hexdigest()
    headers = {"X-Hub-Signature-256": f"sha256={empty}", "X-GitHub-Event": "ping"}
    for forge in ("local", "gitlab", ""):
        answer = httpx.post(f"{web.url}/webhooks/{forge}", content=b"{}", headers=headers)
        assert answer.status_code == 404


def test_without_a_database_the_forge_is_asked_to_redeliver(tmp_path: Path) -> None:
    store = Store(connect(f"sqlite:///{tmp_path / 'unmigrated.db'}"))
    with Running(store, lambda ids: None) as web:
        answer = post(web, labelled())
        assert answer.status_code == 503
        assert answer.json()["error"]["code"] == "SCN-1205"


def test_a_broker_that_is_away_loses_nothing(sqlite_store: Store) -> None:
    def broken(_ids: Sequence[str]) -> None:
        raise ConnectionError("no broker")

    with Running(sqlite_store, broken) as web:
        assert post(web, labelled()).status_code == 202
        assert post(web, labelled(), guid="g-2").status_code == 202
    assert len(stored(sqlite_store)) == 2


def test_health_and_unknown_pages(web: Running) -> None:
    assert httpx.get(f"{web.url}/healthz").json() == {"status": "ok"}
    assert httpx.get(f"{web.url}/readyz", timeout=60).json()["checks"]["database"]["state"] == "ok"
    assert httpx.get(f"{web.url}/runs/01ARZ3NDEKTSV4RRFFQ69G5FAV").status_code == 404
    assert httpx.get(f"{web.url}/nothing").status_code == 404
    assert httpx.get(f"{web.url}/webhooks/github").status_code == 405


def test_the_page_of_a_run_opens_in_every_state(web: Running, sqlite_store: Store) -> None:
    for name, (requested, *events) in STATES.items():
        assert isinstance(requested, RunRequested)
        asked = requested.model_copy(update={"key": name})
        run_id = sqlite_store.request_run(asked, target=name, exclusive=False)
        assert run_id is not None
        for event in events:
            sqlite_store.note(run_id, event)
        page = httpx.get(f"{web.url}/runs/{run_id}")
        assert page.status_code == 200, f"{name}: {page.text}"
        assert "Free delivery for large orders" in page.text and 'id="e1"' in page.text
        assert httpx.get(f"{web.url}/runs/{run_id}?format=json").json()["seq"] == len(events) + 1


def test_the_states_above_hold_every_kind_of_event() -> None:
    kinds = {entry.type for events in STATES.values() for entry in events}
    assert kinds == {kind.__name__ for kind in every_event()}


def every_event() -> Iterator[type]:
    (union, _field) = get_args(Event)
    for kind in get_args(union):
        yield from get_args(kind) or (kind,)


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/runs/nosuch", "/nowhere", "/webhooks/local"])
def test_no_answer_may_be_taken_for_another_type(web: Running, path: str) -> None:
    assert httpx.get(f"{web.url}{path}").headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("given", "status"),
    [
        ("Bearer the-token", 404),
        ("bearer the-token", 404),
        ("the-token", 401),
        ("Basic the-token", 401),
        ("Bearer", 401),
        ("Bearer the-token2", 401),
        ("", 401),
    ],
)
def test_the_control_token_is_a_bearer_token(sqlite_store: Store, given: str, status: int) -> None:
    with Running(sqlite_store, lambda _ids: None, control_token="the-token", pages="members") as web:
        answer = httpx.post(f"{web.url}/runs/nosuch/cancel", headers={"Authorization": given})
    assert answer.status_code == status


def test_a_control_over_http_wakes_the_workers(sqlite_store: Store) -> None:
    run_id = start(sqlite_store)
    headers = {"Authorization": "Bearer the-token"}
    with Running(sqlite_store, lambda _ids: None, control_token="the-token", pages="members") as web:
        assert httpx.post(f"{web.url}/runs/{run_id}/pause", headers=headers).status_code == 200
        assert httpx.post(f"{web.url}/runs/{run_id}/pause", headers=headers).status_code == 409
    assert web.controlled == [run_id]
