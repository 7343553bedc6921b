"""`scenarist setup github` against the stand-in: from the local page to a test delivery."""

import json
import stat
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import Result
from typer.testing import CliRunner

from bot.cli.app import app
from bot.cli.setup import github as command
from bot.cli.setup.github import NotRegistered
from bot.cli.setup.settings_file import settings_text
from bot.config.settings import load_settings
from bot.forges.github.app import app_of
from bot.worker.processes import free_port
from gherkin.errors import ScenaristError
from tests.standins.github_server import GitHubServer
from tests.support.waiting import wait_until

URL = "https://bot.example.org"


class _Form(HTMLParser):
    action = ""
    fields: dict[str, str]

    def __init__(self, text: str) -> None:
        super().__init__()
        self.fields = {}
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.action = given["action"]
        if tag == "input":
            self.fields[given["name"]] = given["value"]


@dataclass
class Operator:
    """Somebody with a browser, in a thread of their own; `pages` are what they saw."""

    port: int
    pages: list[httpx.Response] = field(default_factory=list)
    before: Callable[[str], None] = lambda _url: None

    def open(self, url: str) -> bool:
        threading.Thread(target=self._browse, args=(url,), daemon=True).start()
        return True

    def _browse(self, url: str) -> None:
        self.before(url)
        with httpx.Client(timeout=60) as browser:
            self.pages.append(browser.get(url))
            form = _Form(self.pages[-1].text)
            answer = browser.post(form.action, data=form.fields)
            self.pages.append(answer)
            if "location" in answer.headers:
                self.pages.append(browser.get(answer.headers["location"]))

    def set_up(self, *words: str) -> Result:
        return CliRunner().invoke(app, ["setup", "github", "--port", str(self.port), *words])


@pytest.fixture
def github(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[GitHubServer]:
    with GitHubServer(tmp_path / "github", {"a.txt": "a\n"}, "http://127.0.0.1:9/", "") as server:
        monkeypatch.setenv("SCENARIST_GITHUB_API_URL", f"{server.root}/api/v3")
        monkeypatch.setenv("SCENARIST_PUBLIC_URL", f"{URL}/")
        monkeypatch.setenv("SCENARIST_STATE_DIR", str(tmp_path / "state"))
        monkeypatch.setattr(command, "_ASK_AGAIN_S", 0.2)
        yield server
        assert server.violations == []


@pytest.fixture
def operator(github: GitHubServer, monkeypatch: pytest.MonkeyPatch) -> Operator:
    port = free_port()
    github.proxied[URL] = f"http://127.0.0.1:{port}"
    person = Operator(port)
    monkeypatch.setattr(command.webbrowser, "open", person.open)
    return person


def settings_in(file: Path) -> dict[str, str]:
    pairs = (line.partition("=") for line in file.read_text().splitlines())
    return {name: value for name, _, value in pairs}


def test_an_app_is_made_and_hears_a_delivery(
    github: GitHubServer, operator: Operator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = operator.set_up()
    assert done.exit_code == 0, done.output
    assert "A signed test delivery arrived." in done.output
    assert f"{github.root}/apps/scenarist/installations/new" in done.output + operator.pages[-1].text
    assert "scenarist doctor" in done.output and "scenarist up" in done.output
    (made,) = github.registered
    assert made["hook_attributes"]["url"] == f"{URL}/webhooks/github" and made["public"] is False
    assert made["default_permissions"]["actions"] == "read" and "push" in made["default_events"]
    place = tmp_path / "state" / "github"
    for file in (place / "app.pem", place / "settings.env"):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(place.stat().st_mode) == 0o700
    given = settings_in(place / "settings.env")
    secret = given["SCENARIST_GITHUB_WEBHOOK_SECRET"]
    assert secret and secret not in done.output and "PRIVATE KEY" not in done.output
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    settings = load_settings()
    assert settings.public_url == URL and app_of(settings).card()["slug"] == "scenarist"
    assert app_of(settings).last_delivery() is not None


def test_an_organisation_can_own_it_and_json_says_what_came_of_it(
    github: GitHubServer, operator: Operator, tmp_path: Path
) -> None:
    done = operator.set_up("--org", "octo", "--no-push", "--json", "--folder", str(tmp_path / "keys"))
    found: dict[str, Any] = json.loads(done.stdout)
    assert found["app"] == "scenarist" and found["delivered"] and found["problem"] == ""
    assert Path(found["key"]).parent == tmp_path / "keys" and github.owners == ["octo"]
    assert "push" not in github.registered[0]["default_events"]


def test_another_state_brings_no_app(github: GitHubServer, operator: Operator, tmp_path: Path) -> None:
    tried: list[httpx.Response] = []

    def forge(url: str) -> None:
        """What somebody else would try who can reach the port, with a code of an App of their own."""
        root = url.rpartition("/setup/")[0]
        tried.append(httpx.get(f"{url}/made?code=theirs&state=guessed"))
        tried.append(httpx.get(f"{url}/made?code=theirs"))
        tried.append(httpx.get(f"{root}/setup/guessed"))
        tried.append(
            httpx.post(f"{root}/webhooks/github", content=b"{}", headers={"X-Hub-Signature-256": "x"})
        )
        tried.append(httpx.post(url, content=b"{}"))

    operator.before = forge
    done = operator.set_up()
    assert [each.status_code for each in tried] == [400, 400, 404, 202, 404]
    assert done.exit_code == 0 and len(github.registered) == 1  # its own code is still good
    again = httpx.post(f"{github.root}/app-manifests/theirs/conversions")
    assert again.status_code == 404


def test_a_code_that_github_does_not_know_is_said(
    github: GitHubServer, operator: Operator, tmp_path: Path
) -> None:
    github.fail_next("POST", "/app-manifests/", 404)
    done = operator.set_up()
    assert isinstance(done.exception, ScenaristError) and "404" in str(done.exception)
    assert operator.pages[-1].status_code == 502 and "404" in operator.pages[-1].text
    assert list((tmp_path / "state" / "github").iterdir()) == []


def test_a_delivery_that_failed_is_repeated(github: GitHubServer, operator: Operator) -> None:
    behind = github.proxied.pop(URL)
    github.proxied[URL] = "http://127.0.0.1:9"  # the proxy is not set up yet

    def mend(_url: str) -> None:
        deliver = github.deliver

        def later(event: str, guid: str, body: bytes) -> int:
            status = deliver(event, guid, body)
            github._webhook_url = f"{behind}/webhooks/github"
            return status

        github.deliver = later

    operator.before = mend
    done = operator.set_up()
    assert done.exit_code == 0, done.output
    wait_until(lambda: len(github.deliveries) == 2, "the stand-in to note the answer")
    assert [each["status"] for each in github.deliveries] == [502, 202]


def test_a_delivery_that_never_comes_is_said_and_the_app_kept(
    github: GitHubServer, operator: Operator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    github.proxied[URL] = "http://127.0.0.1:9"
    monkeypatch.setattr(command, "_TEST_S", 0.5)
    done = operator.set_up()
    assert done.exit_code == 1 and "No delivery arrived. GitHub's delivery failed" in done.output
    assert (tmp_path / "state" / "github" / "app.pem").exists() and "scenarist doctor" in done.output
    again = operator.set_up()
    assert isinstance(again.exception, ScenaristError) and again.exception.code == "SCN-1007"


def test_nobody_comes_back(operator: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "_HOUR_S", 0)
    assert isinstance(operator.set_up("--no-browser").exception, NotRegistered)


@pytest.mark.parametrize(
    "url", ["http://localhost:8080", "https://127.0.0.1", "http://[::1]", "bot.example.org", "http://[", ""]
)
def test_an_address_that_github_cannot_reach_is_refused(
    url: str, operator: Operator, github: GitHubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SCENARIST_PUBLIC_URL")
    found = operator.set_up("--url", url).exception
    assert isinstance(found, ScenaristError) and found.code == "SCN-7001" and github.registered == []


def test_settings_are_quoted_for_a_shell() -> None:
    assert settings_text({"A": "x y", "B": 1, "C": Path("/a")}) == "A='x y'\nB=1\nC=/a\n"
