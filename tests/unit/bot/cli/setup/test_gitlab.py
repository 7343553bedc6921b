"""`scenarist setup gitlab` against the stand-in: what it checks, makes, and refuses."""

import json
import stat
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bot.cli.app import app
from bot.cli.operate.doctor import CheckResult, _gitlab
from bot.config.settings import Settings
from bot.storage.database import connect, migrate
from bot.storage.store import open_store
from gherkin.errors import ScenaristError
from tests.standins.gitlab_server import TOKEN, GitLabServer

URL = "https://bot.example.org"


@pytest.fixture
def gitlab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[GitLabServer]:
    with GitLabServer(tmp_path, {"a.txt": "a\n"}, "http://127.0.0.1:9/", "") as server:
        server._levels[server.bot["id"]] = 40
        monkeypatch.setenv("SCENARIST_GITLAB_URL", server.root)
        monkeypatch.setenv("SCENARIST_GITLAB_TOKEN", TOKEN)
        monkeypatch.setenv("SCENARIST_PUBLIC_URL", URL)
        monkeypatch.setenv("SCENARIST_STATE_DIR", str(tmp_path / "state"))
        yield server


def set_up(*options: str) -> str:
    done = CliRunner().invoke(app, ["setup", "gitlab", "octo/calc", *options])
    if isinstance(done.exception, ScenaristError):
        return str(done.exception)
    assert done.exit_code == 0, done.output
    return done.output


def test_labels_and_hook_are_made_once(gitlab: GitLabServer, tmp_path: Path) -> None:
    first, second = set_up(), set_up()
    assert "labels made: agent:implement, agent:spec" in first and "labels made: none" in second
    assert "webhook made" in first and "brought up to date" in second
    file = tmp_path / "state" / "gitlab" / "settings.env"
    name, _, secret = file.read_text().strip().partition("=")
    assert name == "SCENARIST_GITLAB_WEBHOOK_TOKEN" and len(secret) > 30
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert str(file) in first and str(file) in second and secret not in first + second
    assert "scenarist doctor" in first and "scenarist up" in first
    (hook,) = gitlab.hooks.values()
    assert hook["url"] == f"{URL}/webhooks/gitlab" and hook["token_present"]
    assert all(hook[f"{each}_events"] for each in ("issues", "note", "merge_requests", "pipeline", "push"))
    assert TOKEN not in first + second


def test_json_says_what_was_done(gitlab: GitLabServer) -> None:
    found = json.loads(set_up("--json"))
    (project,) = found["projects"]
    assert project["labels_made"] == ["agent:implement", "agent:spec"] and project["webhook_new"]
    assert project["role"] == "Maintainer" and Path(found["settings"]).exists()


def test_a_project_can_be_onboarded_with_it(
    gitlab: GitLabServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path / 'bot.db'}"
    monkeypatch.setenv("SCENARIST_DATABASE_URL", url)
    migrate(connect(url))
    assert "onboarding: run" in set_up("--onboard")
    assert "is looking at the repository already" in set_up("--onboard")
    (run,) = open_store(url).list_runs()
    assert (run.forge, run.repo, run.phase) == ("gitlab", "octo/calc", "prepare")


def test_a_secret_that_is_known_is_kept(gitlab: GitLabServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCENARIST_GITLAB_SIGNING_TOKEN", "whsec_a2tra2s=")
    assert "settings.env" not in set_up("--no-push")
    (hook,) = gitlab.hooks.values()
    assert hook["signing_token_present"] and not hook["token_present"] and not hook["push_events"]


def test_a_maintainers_token_can_make_the_hook(gitlab: GitLabServer, monkeypatch: pytest.MonkeyPatch) -> None:
    gitlab._levels[gitlab.bot["id"]] = 30
    assert "SCN-1006" in set_up()
    monkeypatch.setenv("MINE", gitlab.add_token("ada"))
    assert "webhook made" in set_up("--as-env", "MINE")
    assert "SCN-7001" in set_up("--as-env", "NOT_SET")


@pytest.mark.parametrize(
    ("scopes", "level", "said"),
    [
        (["api"], 40, "lacks write_repository"),
        (["read_api", "write_repository"], 40, "lacks api"),
        (["api", "write_repository"], 20, "role in octo/calc is Reporter"),
        (["api", "write_repository"], 0, "role in octo/calc is none"),
    ],
)
def test_what_the_token_lacks_is_said(gitlab: GitLabServer, scopes: list[str], level: int, said: str) -> None:
    gitlab.token["scopes"] = scopes
    gitlab._levels[gitlab.bot["id"]] = level
    if not level:
        del gitlab._levels[gitlab.bot["id"]]
    found = set_up()
    assert "SCN-1005" in found and said in found and gitlab.hooks == {}


def test_the_doctor_looks_at_the_token(gitlab: GitLabServer) -> None:
    def looked(**changes: str) -> CheckResult:
        given = {"gitlab_token": TOKEN, "gitlab_webhook_token": "s", **changes}
        return _gitlab(Settings.model_validate({"gitlab_url": gitlab.root, **given}))

    assert looked().state == "ok"
    assert looked(gitlab_token="").said.startswith("No token is set")
    assert looked(gitlab_webhook_token="").state == "failed"
    today = datetime.now(UTC).date()
    gitlab.token["expires_at"] = (today + timedelta(days=3)).isoformat()
    assert looked().state == "warning" and "in 3 days" in looked().said
    gitlab.token["scopes"] = ["api"]
    assert looked().state == "failed"
