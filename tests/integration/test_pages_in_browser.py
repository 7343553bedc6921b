"""The pages in a real browser: how they look, by keyboard, live, with and without JavaScript."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from bot.evaluation.attempts import About, RoleUse
from bot.evaluation.comparison import comparison_page
from bot.evaluation.report import report
from bot.log.events import PullEnded, RunEnded
from bot.log.state import fold
from bot.storage.store import Store
from bot.web.pages.render import static_files
from bot.web.pages.run_pages import MOST_ITEMS
from runners.contract.events import VerdictReached
from tests.support import logs
from tests.support.browser import CONTRAST, SHOTS, browser, page_of
from tests.support.evaluation import FAILS, PASSES, PROVEN, attempt
from tests.support.run_logs import DIFF_TEXT, FEATURE_TEXT, append, recorded, stored_run
from tests.support.web_app import Running

pytestmark = pytest.mark.needs("chromium")

# It only ends a test that hangs.
expect.set_options(timeout=60_000)

TOKEN = "an-operators-token"
LOOKS = {
    "light": {"color_scheme": "light", "viewport": {"width": 1280, "height": 900}},
    "dark": {"color_scheme": "dark", "viewport": {"width": 1280, "height": 900}},
    "narrow": {"color_scheme": "light", "viewport": {"width": 360, "height": 740}},
}


@pytest.fixture(scope="module")
def chrome() -> Iterator[Browser]:
    with browser() as started:
        yield started


@pytest.fixture
def web(sqlite_store: Store) -> Iterator[Running]:
    with Running(sqlite_store, lambda _ids: None, pages="members", control_token=TOKEN) as running:
        yield running


def sign_in(page: Page, path: str) -> None:
    """Go to a page, sign in where it leads to, and come back."""
    page.goto(path)
    page.get_by_label("Operator's token").fill(TOKEN)
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(re.compile(re.escape(path) + "$"))


@pytest.mark.parametrize("look", LOOKS)
def test_every_page_fits_and_can_be_read(
    chrome: Browser, web: Running, sqlite_store: Store, look: str
) -> None:
    SHOTS.mkdir(parents=True, exist_ok=True)
    proven = stored_run(sqlite_store, recorded(), key="proven", feature=FEATURE_TEXT, diff=DIFF_TEXT)
    red = stored_run(
        sqlite_store, logs.SENT_BACK, key="red", repo="octo/shop-with-a-very-long-name", diff=DIFF_TEXT
    )
    asks = stored_run(sqlite_store, logs.STATES["waits for approval"], key="asks", feature=logs.FEATURE_TEXT)
    sqlite_store.control(asks, logs.Controlled(control="pause", by="ada"))
    paths = {"runs": "/runs", "queue": "/queue", "repositories": "/repositories", "proven": f"/runs/{proven}"}
    append(sqlite_store, proven, PullEnded(pull=2, became="edited", by="wim", edits=2))
    paths |= {"repository": "/repositories/local/demo/bookshop"}
    paths |= {"red": f"/runs/{red}", "asks": f"/runs/{asks}", "missing": "/runs/none"}
    with page_of(chrome, web.url, **LOOKS[look]) as page:
        page.goto("/sign-in")
        page.screenshot(path=SHOTS / f"sign-in-{look}.png", full_page=True)
        sign_in(page, "/runs")
        for name, path in paths.items():
            if name == "missing":
                continue
            page.goto(path)
            for each in page.locator("details").all():
                each.evaluate("(found) => { found.open = true; }")
            page.screenshot(path=SHOTS / f"{name}-{look}.png", full_page=True)
            wide = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
            assert wide <= 0, f"{name} is {wide} pixels too wide"
            assert page.evaluate(CONTRAST) == [], name


@pytest.mark.parametrize("look", LOOKS)
def test_the_comparison_of_evaluations_fits_and_can_be_read(chrome: Browser, look: str) -> None:
    SHOTS.mkdir(parents=True, exist_ok=True)
    use = RoleUse(role="driver", model="qwen", turns=12, tokens=120_345, cost=0.5)
    attempts = [
        attempt("a-task-with-a-rather-long-name", seed, **PROVEN, hidden=hidden, uses=(use,))
        for seed, hidden in enumerate((PASSES, FAILS, PASSES), 1)
    ]
    compared = [
        report(About(set_name="public", models=models, seeds=3, mode="solo", tasks={}), attempts)
        for models in ("qwen3-coder-30b", "claude", "qwen3-coder-30b + claude")
    ]
    style, _ = static_files()["scenarist.css"]
    with page_of(chrome, "http://localhost", **LOOKS[look]) as page:
        page.set_content(comparison_page(compared, style.decode()))
        page.screenshot(path=SHOTS / f"evaluation-{look}.png", full_page=True)
        assert page.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0
        assert page.evaluate(CONTRAST) == []
        expect(page.locator("tbody").nth(1)).to_contain_text("resolved × 2")


def test_a_page_follows_its_run_and_keeps_what_is_open(
    chrome: Browser, web: Running, sqlite_store: Store
) -> None:
    run_id = stored_run(sqlite_store, logs.IMPLEMENTING, key="live", feature=logs.FEATURE_TEXT)
    with page_of(chrome, web.url) as page:
        sign_in(page, f"/runs/{run_id}")
        card = page.locator("#scenario-1")
        expect(card).to_have_class("card grey")
        card.locator("summary").click()
        append(sqlite_store, run_id, logs.CALLED.model_copy(update={"text": "what is new"}))
        turn = page.locator(f"#e{len(logs.IMPLEMENTING) + 1}")
        expect(turn).to_contain_text("read_file")
        append(sqlite_store, run_id, VerdictReached(verdict=logs.RED))
        expect(card).to_have_class("card red")
        append(sqlite_store, run_id, VerdictReached(verdict=logs.GREEN))
        expect(card).to_have_class("card green")
        assert card.evaluate("(found) => found.open") is True
        append(sqlite_store, run_id, RunEnded(status="done"))
        expect(page.locator("#now .pill")).to_have_text("done")
        expect(page.locator(".item")).to_have_count(len(page.locator(".item[id]").all()))
        assert (
            len({each.get_attribute("id") for each in page.locator(".item").all()})
            == page.locator(".item").count()
        )


def test_scenarios_are_approved_by_a_click(chrome: Browser, web: Running, sqlite_store: Store) -> None:
    run_id = stored_run(
        sqlite_store, logs.STATES["waits for approval"], key="asks", feature=logs.FEATURE_TEXT
    )
    sqlite_store.control(run_id, logs.Controlled(control="pause", by="ada"))
    with page_of(chrome, web.url) as page:
        sign_in(page, f"/runs/{run_id}")
        page.get_by_role("button", name="Approve the scenarios").click()
        expect(page.locator("#scenarios")).to_contain_text("approved by an operator")
        expect(page.get_by_role("button", name="Approve the scenarios")).to_have_count(0)
        expect(page.get_by_role("button", name="Pause")).to_be_visible()
    state = fold(sqlite_store.entries(run_id))
    assert state.status == "active" and state.approved_by == "an operator"


def test_long_output_is_unfolded_in_its_place(chrome: Browser, web: Running, sqlite_store: Store) -> None:
    text = "\n".join(f"line {n} of the output" for n in range(500))
    run_id = stored_run(
        sqlite_store, [*logs.IMPLEMENTING, logs.CALLED.model_copy(update={"text": text})], key="long"
    )
    with page_of(chrome, web.url) as page:
        sign_in(page, f"/runs/{run_id}")
        turn = page.locator(f"#e{len(logs.IMPLEMENTING) + 1}")
        turn.locator("summary").click()
        turn.get_by_role("link", name="Show 468 more lines").click()
        expect(turn).to_contain_text("line 250 of the output")
        assert page.url.endswith(run_id)


def test_the_log_of_a_command_is_unfolded_in_its_place(
    chrome: Browser, web: Running, sqlite_store: Store
) -> None:
    run_id = stored_run(sqlite_store, logs.VERIFIED, key="logs")
    with page_of(chrome, web.url) as page:
        sign_in(page, f"/runs/{run_id}")
        page.get_by_text("Evidence: 1 command").click()
        page.get_by_text("scenarios on the old code").click()
        expect(page.locator(".command .log")).to_contain_text("What it printed:")
        assert page.url.endswith(run_id)


def test_a_long_run_shows_its_newest_entries_first(
    chrome: Browser, web: Running, sqlite_store: Store
) -> None:
    run_id = stored_run(sqlite_store, [*logs.IMPLEMENTING, *[logs.CALLED] * 200], key="long")
    with page_of(chrome, web.url) as page:
        sign_in(page, f"/runs/{run_id}")
        expect(page.locator(".item")).to_have_count(MOST_ITEMS)
        newest = len(logs.IMPLEMENTING) + 200
        expect(page.locator(".item").last).to_have_attribute("id", f"e{newest}")
        append(sqlite_store, run_id, logs.CALLED)
        expect(page.locator(".item").last).to_have_attribute("id", f"e{newest + 1}")
        page.get_by_role("link", name="earlier entries").click()
        expect(page.locator("#e1")).to_be_visible()


def test_everything_works_without_javascript(chrome: Browser, web: Running, sqlite_store: Store) -> None:
    text = "\n".join(f"line {n} of the output" for n in range(500))
    run_id = stored_run(
        sqlite_store, [*logs.IMPLEMENTING, logs.CALLED.model_copy(update={"text": text})], key="plain"
    )
    with page_of(chrome, web.url, java_script_enabled=False) as page:
        sign_in(page, f"/runs/{run_id}")
        expect(page.locator('noscript meta[http-equiv="refresh"]')).to_have_count(1)
        page.get_by_role("button", name="Pause").click()
        expect(page.locator("#now .pill")).to_have_text("paused")
        turn = page.locator(f"#e{len(logs.IMPLEMENTING) + 1}")
        turn.locator("summary").click()
        turn.get_by_role("link", name="Show 468 more lines").click()
        expect(page.locator("main")).to_contain_text("line 250 of the output")
    assert sqlite_store.status(run_id) == ("paused", "prepare")


def test_pages_can_be_used_by_keyboard(chrome: Browser, web: Running, sqlite_store: Store) -> None:
    run_id = stored_run(sqlite_store, logs.VERIFIED, key="keys", feature=logs.FEATURE_TEXT)
    with page_of(chrome, web.url) as page:
        sign_in(page, f"/runs/{run_id}")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
        page.keyboard.press("Enter")
        for _ in range(30):
            page.keyboard.press("Tab")
            if page.evaluate("document.activeElement.closest('#scenario-1') !== null"):
                break
        page.keyboard.press("Enter")
        expect(page.locator("#scenario-1 .steps")).to_be_visible()
