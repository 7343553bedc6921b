"""Who may see and control runs: sessions, tokens, forms, and what is listed for whom."""

import re
from collections.abc import Iterator

import httpx
import pytest

from bot.log.state import fold
from bot.storage.store import Store
from bot.web.http.requests import own_path
from bot.web.identity.session import Seals, Viewer
from tests.support import logs
from tests.support.run_logs import stored_run
from tests.support.web_app import Running

TOKEN = "an-operators-token"
HTML = {"Accept": "text/html", "Sec-Fetch-Site": "same-origin"}


@pytest.fixture
def web(sqlite_store: Store) -> Iterator[Running]:
    with Running(sqlite_store, lambda _ids: None, pages="members", control_token=TOKEN) as running:
        yield running


@pytest.fixture
def operator(web: Running) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=web.url, headers=HTML) as client:
        answer = client.post("/sign-in", data={"token": TOKEN, "next": "/queue"})
        assert (answer.status_code, answer.headers["location"]) == (303, "/queue")
        yield client


def csrf(client: httpx.Client, path: str) -> str:
    found = re.search(r'name="csrf" value="([^"]+)"', client.get(path).text)
    assert found is not None
    return found[1]


def test_the_cookie_of_a_session_is_sealed_and_kept_from_scripts(web: Running) -> None:
    answer = httpx.post(f"{web.url}/sign-in", data={"token": TOKEN}, headers=HTML)
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie and "SameSite=lax" in cookie and "Path=/" in cookie
    assert TOKEN not in cookie and "operator" not in cookie


@pytest.mark.parametrize("url", ["https://bot.example", "http://bot.example"])
def test_the_cookie_is_kept_to_https_where_people_use_it(sqlite_store: Store, url: str) -> None:
    with Running(sqlite_store, lambda _ids: None, control_token=TOKEN, public_url=url) as web:
        cookie = httpx.post(f"{web.url}/sign-in", data={"token": TOKEN}, headers=HTML).headers["set-cookie"]
    assert ("Secure" in cookie) == url.startswith("https")


def test_nobody_sees_pages_without_signing_in(
    web: Running, sqlite_store: Store, operator: httpx.Client
) -> None:
    run_id = stored_run(sqlite_store, logs.IMPLEMENTING, key="one")
    for path in ("/runs", "/queue", "/repositories", f"/runs/{run_id}", f"/runs/{run_id}?format=json"):
        answer = httpx.get(f"{web.url}{path}", headers=HTML)
        assert answer.status_code == 303 and answer.headers["location"].startswith("/sign-in?next=%2F"), path
        assert httpx.get(f"{web.url}{path}").status_code == 401, path
        assert operator.get(path).status_code == 200, path
    for path in (f"/runs/{run_id}/live", f"/runs/{run_id}/entries/1"):
        assert httpx.get(f"{web.url}{path}").status_code == 401, path
    assert operator.get(f"/runs/{run_id}/entries/1").status_code == 200
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    assert httpx.get(f"{web.url}/runs/{run_id}?format=json", headers=bearer).status_code == 200


def test_a_run_that_does_not_exist_looks_like_one_that_may_not_be_seen(
    web: Running, sqlite_store: Store
) -> None:
    run_id = stored_run(sqlite_store, logs.IMPLEMENTING, key="one")
    answers = [httpx.get(f"{web.url}/runs/{each}") for each in (run_id, "01ARZ3NDEKTSV4RRFFQ69G5FAV")]
    assert answers[0].status_code == answers[1].status_code == 401
    assert answers[0].text.replace(run_id, "X") == answers[1].text.replace("01ARZ3NDEKTSV4RRFFQ69G5FAV", "X")


@pytest.mark.parametrize(
    ("mode", "run", "runs"), [("members", 401, 401), ("link", 200, 401), ("public", 200, 200)]
)
def test_the_operator_says_who_sees_pages(sqlite_store: Store, mode: str, run: int, runs: int) -> None:
    run_id = stored_run(sqlite_store, logs.IMPLEMENTING, key="one")
    with Running(sqlite_store, lambda _ids: None, pages=mode, control_token=TOKEN) as web:
        assert httpx.get(f"{web.url}/runs/{run_id}").status_code == run
        assert httpx.get(f"{web.url}/runs").status_code == runs
        # Reading is all that anybody may do without signing in.
        assert httpx.post(f"{web.url}/runs/{run_id}/pause").status_code == 401
    assert sqlite_store.status(run_id) == ("active", "prepare")


def test_a_wrong_token_does_not_sign_in_and_soon_has_to_wait(web: Running) -> None:
    said = [httpx.post(f"{web.url}/sign-in", data={"token": f"wrong{n}"}, headers=HTML) for n in range(6)]
    assert [each.status_code for each in said] == [401] * 5 + [429]
    assert all("set-cookie" not in each.headers for each in said)
    right = httpx.post(f"{web.url}/sign-in", data={"token": TOKEN}, headers=HTML)
    assert right.status_code == 429 and right.headers["retry-after"] == "60"


def test_without_an_operators_token_the_empty_one_does_not_sign_in(sqlite_store: Store) -> None:
    with Running(sqlite_store, lambda _ids: None, pages="members") as web:
        assert "Nobody can sign in yet" in httpx.get(f"{web.url}/sign-in").text
        answer = httpx.post(f"{web.url}/sign-in", data={"token": ""}, headers=HTML)
        bearer = httpx.get(f"{web.url}/runs", headers={"Authorization": "Bearer"})
    assert answer.status_code == 401 and "set-cookie" not in answer.headers and bearer.status_code == 401


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://elsewhere.example"},
        {"Origin": "null"},
    ],
)
def test_forms_of_other_sites_neither_sign_in_nor_control(
    web: Running, sqlite_store: Store, operator: httpx.Client, headers: dict[str, str]
) -> None:
    plain = {"Accept": "text/html", **headers}
    answer = httpx.post(f"{web.url}/sign-in", data={"token": TOKEN}, headers=plain)
    assert answer.status_code == 403 and "set-cookie" not in answer.headers
    run_id = stored_run(sqlite_store, logs.IMPLEMENTING, key="one")
    data = {"csrf": csrf(operator, f"/runs/{run_id}")}
    cookies = dict(operator.cookies)
    url = f"{web.url}/runs/{run_id}/pause"
    assert httpx.post(url, data=data, headers=plain, cookies=cookies).status_code == 403
    assert sqlite_store.status(run_id) == ("active", "prepare")
    assert httpx.post(url, data=data, headers={"Origin": web.url}, cookies=cookies).status_code == 303
    assert sqlite_store.status(run_id) == ("paused", "prepare")


def test_a_form_needs_the_sessions_own_csrf_token(
    web: Running, sqlite_store: Store, operator: httpx.Client
) -> None:
    run_id = stored_run(sqlite_store, logs.IMPLEMENTING, key="one")
    with httpx.Client(base_url=web.url, headers=HTML) as other:
        other.post("/sign-in", data={"token": TOKEN})
        strange = csrf(other, f"/runs/{run_id}")
    for given in ("", "wrong", strange):
        answer = operator.post(f"/runs/{run_id}/pause", data={"csrf": given})
        assert answer.status_code == 403 and "SCN-1209" in answer.text
    assert sqlite_store.status(run_id) == ("active", "prepare")
    assert operator.post("/sign-out", data={"csrf": strange}).status_code == 403
    assert operator.get("/runs").status_code == 200


def test_signing_out_ends_the_session(operator: httpx.Client) -> None:
    answer = operator.post("/sign-out", data={"csrf": csrf(operator, "/runs")})
    assert answer.status_code == 303 and operator.get("/runs").status_code == 303


def test_an_altered_or_old_cookie_is_worth_nothing() -> None:
    seals, viewer = Seals("secret", "token"), Viewer(name="ada", csrf="x")
    text = seals.seal(viewer)
    assert seals.open(Viewer, text, 60) == viewer
    assert seals.open(Viewer, text[:-6] + "AAAAA=", 60) is None
    assert seals.open(Viewer, text, -1) is None
    assert Seals("secret", "another token").open(Viewer, text, 60) is None
    assert Seals("", "token").open(Viewer, text, 60) is None


def test_buttons_pause_resume_cancel_and_retry(
    web: Running, sqlite_store: Store, operator: httpx.Client
) -> None:
    run_id = stored_run(sqlite_store, logs.IMPLEMENTING, key="one")
    page = f"/runs/{run_id}"

    def press(control: str, **fields: str) -> int:
        return operator.post(f"{page}/{control}", data={"csrf": csrf(operator, page), **fields}).status_code

    assert press("pause") == 303 and sqlite_store.status(run_id) == ("paused", "prepare")
    assert press("pause") == 409
    assert press("resume") == 303 and sqlite_store.status(run_id) == ("active", "prepare")
    assert press("cancel") == 303 and sqlite_store.status(run_id) == ("active", "conclude")
    assert press("nonsense") == 409
    assert web.controlled == [run_id] * 3  # only what changed something wakes the workers
    reasons = [e.event.reason for e in sqlite_store.entries(run_id) if e.event.type == "Controlled"]
    assert reasons[0] == "By an operator on its page."


def test_scenarios_are_approved_or_sent_back(
    web: Running, sqlite_store: Store, operator: httpx.Client
) -> None:
    for number, text in enumerate(("", "They should be about 60 euros.")):
        run_id = stored_run(sqlite_store, logs.STATES["waits for approval"], key=f"{number}")
        sqlite_store.control(run_id, logs.Controlled(control="pause", by="x"))
        page = operator.get(f"/runs/{run_id}").text
        assert "Approve the scenarios" in page
        data = {"csrf": csrf(operator, f"/runs/{run_id}"), "text": text}
        assert operator.post(f"/runs/{run_id}/approve", data=data).status_code == 303
        state = fold(sqlite_store.entries(run_id))
        assert state.status == "active"
        assert [each.text for each in sqlite_store.instructions(run_id)] == ([text] if text else [])
        assert state.phase == "specify" and bool(state.approved_by) == (not text)
        assert web.controlled[number:] == [run_id]


def test_what_is_told_to_a_run_reaches_its_log_once(sqlite_store: Store, operator: httpx.Client) -> None:
    run_id = stored_run(sqlite_store, logs.IMPLEMENTING, key="one")
    data = {"csrf": csrf(operator, f"/runs/{run_id}"), "text": "Mind the vouchers."}
    for _ in range(2):
        assert operator.post(f"/runs/{run_id}/answer", data=data).status_code == 303
    assert [each.text for each in sqlite_store.instructions(run_id)] == ["Mind the vouchers."]


def test_runs_are_filtered_and_say_what_they_wait_for(sqlite_store: Store, operator: httpx.Client) -> None:
    one = stored_run(sqlite_store, logs.IMPLEMENTING, key="one", repo="octo/shop")
    two = stored_run(sqlite_store, logs.PUBLISHED, key="two", repo="octo/other")
    assert sqlite_store.claim(one, ["prepare"], 600, "machine:1:runs") is not None

    def listed(query: str) -> list[str]:
        return re.findall(r'href="/runs/(01\w+)"', operator.get(f"/runs{query}").text)

    assert listed("") == [two, one]
    assert listed("?repo=octo/shop") == listed("?state=open") == [one]
    assert listed("?state=done") == listed("?repo=octo/other&person=ada") == [two]
    assert listed("?person=nobody") == listed("?kind=revise") == []
    assert listed(f"?before={two}") == [one]
    queue = operator.get("/queue").text
    assert "machine:1:runs" in queue and queue.count("Nothing waits.") == 2
    table = operator.get("/repositories").text
    assert "100 % of 1" in table and "octo/shop" in table


@pytest.mark.parametrize(("secret", "set_up"), [("", True), ("s", False)])
def test_the_first_page_names_the_next_step(store: Store, secret: str, set_up: bool) -> None:
    with Running(store, lambda _ids: None, github_webhook_secret=secret, trigger_label="do:it") as web:
        page = httpx.get(web.url, follow_redirects=True).text
        assert ("scenarist setup github" in page) is set_up
        assert "scenarist doctor" in page and "<code>do:it</code>" in page
        assert "There are no such runs" in httpx.get(f"{web.url}/runs?state=done").text


def test_only_paths_of_this_app_are_gone_to_after_signing_in() -> None:
    assert own_path("/runs/X?format=json#e1") == "/runs/X?format=json#e1"
    for given in ("//evil.example", "/\\evil.example", "https://evil.example", "evil", "", "/a\nb", "/a\\b"):
        assert own_path(given) == "/"
