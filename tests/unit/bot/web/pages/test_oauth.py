"""Signing in with GitHub and GitLab, and what people see and may do then."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from bot.storage.store import Store
from tests.standins.people_server import PeopleServer
from tests.support import logs
from tests.support.run_logs import stored_run
from tests.support.web_app import Running

HTML = {"Accept": "text/html", "Sec-Fetch-Site": "same-origin"}


@pytest.fixture(params=["github", "gitlab"])
def forge(request: pytest.FixtureRequest) -> Iterator[PeopleServer]:
    with PeopleServer(request.param) as server:
        yield server


@pytest.fixture
def web(sqlite_store: Store, forge: PeopleServer) -> Iterator[Running]:
    with Running(sqlite_store, lambda _ids: None, pages="members", **forge.settings()) as running:
        yield running


def run_on(sqlite_store: Store, forge: PeopleServer, repo: str, events: list[logs.Event], key: str) -> str:
    requested = logs.REQUESTED.model_copy(update={"forge": forge.kind, "repo": repo})
    return stored_run(sqlite_store, [requested, *events[1:]], key=key)


@contextmanager
def signed_in(web: Running, forge: PeopleServer, person: str, after: str = "/runs") -> Iterator[httpx.Client]:
    """A browser in which somebody has signed in; redirects are followed, as browsers do."""
    forge.person = person
    with httpx.Client(base_url=web.url, headers=HTML, follow_redirects=True) as client:
        answer = client.get(f"/sign-in/{forge.kind}", params={"next": after})
        assert (answer.status_code, answer.url.path) == (200, after)
        yield client


def form(client: httpx.Client, path: str) -> dict[str, str]:
    found = re.search(r'name="csrf" value="([^"]+)"', client.get(path).text)
    return {"csrf": found[1] if found else ""}


def test_people_see_and_control_what_the_forge_lets_them(
    web: Running, sqlite_store: Store, forge: PeopleServer
) -> None:
    run_id = run_on(sqlite_store, forge, "octo/shop", logs.IMPLEMENTING, "one")
    other = run_on(sqlite_store, forge, "octo/secret", logs.IMPLEMENTING, "two")
    local = stored_run(
        sqlite_store, [logs.REQUESTED.model_copy(update={"forge": "local", "repo": "octo/shop"})], key="three"
    )
    for person, sees, controls in (("ada", True, True), ("tri", True, False), ("eve", False, False)):
        with signed_in(web, forge, person) as client:
            listed = client.get("/runs").text
            assert (run_id in listed) == sees and other not in listed and local not in listed
            assert "octo/secret" not in client.get("/repositories").text + client.get("/queue").text + listed
            assert client.get(f"/runs/{run_id}").status_code == (200 if sees else 404)
            assert client.get(f"/runs/{other}").status_code == client.get(f"/runs/{local}").status_code == 404
            assert ('id="pause"' in client.get(f"/runs/{run_id}").text) == controls
            token = form(client, "/runs")
            status = client.post(f"/runs/{run_id}/pause", data=token, follow_redirects=False).status_code
            assert status == (303 if controls else 403 if sees else 404)
            assert client.post(f"/runs/{other}/pause", data=token).status_code == 404
            if controls:
                assert sqlite_store.status(run_id) == ("paused", "prepare")
                sqlite_store.control(run_id, logs.Controlled(control="resume", by="x"))
            assert sqlite_store.status(run_id) == ("active", "prepare")
    events = [each.event for each in sqlite_store.entries(run_id)]
    assert [each.by for each in events if isinstance(each, logs.Controlled)] == ["ada", "x"]


def test_an_answer_is_posted_in_the_persons_name(
    web: Running, sqlite_store: Store, forge: PeopleServer
) -> None:
    run_id = run_on(sqlite_store, forge, "octo/shop", logs.STATES["asks"], "one")
    with signed_in(web, forge, "ada", f"/runs/{run_id}") as client:
        answer = {**form(client, f"/runs/{run_id}"), "text": "From 50 euros on."}
        assert client.post(f"/runs/{run_id}/answer", data=answer).status_code == 200
    assert forge.comments == [("ada", "octo/shop", "From 50 euros on.")]


def test_the_forge_is_asked_once_a_minute_and_may_be_away(
    web: Running, sqlite_store: Store, forge: PeopleServer
) -> None:
    run_id = run_on(sqlite_store, forge, "octo/shop", logs.IMPLEMENTING, "one")
    other = run_on(sqlite_store, forge, "octo/other", logs.IMPLEMENTING, "two")
    with signed_in(web, forge, "ada", f"/runs/{run_id}") as client:
        for _ in range(3):
            assert client.get(f"/runs/{run_id}").status_code == 200
        assert forge.asked == 1
        forge.broken = True
        assert client.get(f"/runs/{run_id}").status_code == 200
        away = client.get(f"/runs/{other}")
        assert away.status_code == 503 and "SCN-1001" in away.text


def test_the_token_of_the_forge_is_sealed(web: Running, sqlite_store: Store, forge: PeopleServer) -> None:
    with signed_in(web, forge, "ada") as client:
        assert list(client.cookies) == ["scenarist"] and "token-of" not in str(dict(client.cookies))


def test_answers_that_nobody_here_asked_for_do_not_sign_in(web: Running, forge: PeopleServer) -> None:
    forge.person = "eve"
    with (
        httpx.Client(base_url=web.url, headers=HTML) as attacker,
        httpx.Client(base_url=web.url, headers=HTML) as ada,
    ):
        sent = attacker.get(f"/sign-in/{forge.kind}").headers["location"]
        back = httpx.get(sent).headers["location"]
        # A browser in which nobody asked, and one in which somebody asked for another sign-in.
        assert ada.get(back).status_code == 400
        mine = ada.get(f"/sign-in/{forge.kind}").headers["location"]
        assert parse_qs(urlsplit(mine).query)["state"] != parse_qs(urlsplit(sent).query)["state"]
        assert ada.get(back).status_code == 400 and "scenarist" not in ada.cookies
        assert attacker.get(back).status_code == 303
        assert attacker.get(back).status_code == 400, "a code works once"


def test_a_forge_that_refuses_the_code_does_not_sign_in(web: Running, forge: PeopleServer) -> None:
    with httpx.Client(base_url=web.url, headers=HTML) as client:
        sent = client.get(f"/sign-in/{forge.kind}").headers["location"]
        state = parse_qs(urlsplit(sent).query)["state"][0]
        answer = client.get(f"/sign-in/{forge.kind}/callback", params={"code": "made-up", "state": state})
        assert answer.status_code == 400 and "scenarist" not in client.cookies


def test_only_configured_forges_can_be_signed_in_with(sqlite_store: Store) -> None:
    with Running(sqlite_store, lambda _ids: None, pages="members") as web:
        assert httpx.get(f"{web.url}/sign-in/github").status_code == 404
        assert "/sign-in/github" not in httpx.get(f"{web.url}/sign-in").text
