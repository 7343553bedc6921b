"""`scenarist doctor` on machines that lack something."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from bot.cli.app import app
from bot.cli.operate.doctor import CheckResult, examine
from bot.config.settings import Settings
from bot.forges.github.manifest import EVENTS
from bot.installation import overwritten
from bot.storage.database import connect, migrate
from bot.worker.processes import processes, start_redis
from tests.standins.chat_server import ChatServer
from tests.standins.github_server import GitHubServer
from tests.standins.github_state import APP_ID


def findings(settings: Settings) -> dict[str, CheckResult]:
    return {each.name: each for each in examine(settings)}


def settings(folder: Path, **changes: object) -> Settings:
    closed = "redis://127.0.0.1:1/0"
    return Settings.model_validate({"state_dir": folder / "state", "broker_url": closed, **changes})


def test_a_fresh_machine_is_told_what_to_do(tmp_path: Path, closed_port: int) -> None:
    found = findings(settings(tmp_path, model_url=f"http://127.0.0.1:{closed_port}/v1"))
    assert {name for name, each in found.items() if each.state == "failed"} == {"database", "models"}
    assert found["database"].todo == "Run `scenarist migrate`."
    assert "SCN-4001" in found["models"].said
    assert found["broker"].state == found["GitHub"].state == found["public URL"].state == "warning"
    assert (
        found["sandbox"].state
        == found["git"].state
        == found["disk"].state
        == found["limits file"].state
        == "ok"
    )


def test_one_where_all_is_well(tmp_path: Path) -> None:
    with ChatServer([], []) as server:
        made = settings(tmp_path, model_url=server.url)
        made.state_dir.mkdir()
        engine = connect(made.database)
        migrate(engine)
        engine.dispose()
        found = findings(made)
        assert found["database"].state == "ok"
        assert (
            found["models"].state == "ok"
            and "analyst: scripted (local); driver: scripted" in found["models"].said
        )


def test_an_older_schema_is_noticed(tmp_path: Path) -> None:
    made = settings(tmp_path)
    made.state_dir.mkdir()
    engine = connect(made.database)
    migrate(engine, "0001")
    engine.dispose()
    assert findings(made)["database"].todo == "Run `scenarist migrate`."


def test_only_what_a_machine_is_for_is_looked_at(tmp_path: Path, closed_port: int) -> None:
    made = settings(tmp_path, model_url=f"http://127.0.0.1:{closed_port}/v1")
    bot = {each.name for each in examine(made, ["intake", "publish"])}
    runner = {each.name for each in examine(made, ["runs"])}
    assert bot >= {"database", "broker", "GitHub"} and bot.isdisjoint({"sandbox", "models", "limits file"})
    assert runner >= {"database", "broker", "sandbox", "models"} and "GitHub" not in runner


def test_the_redis_of_up_is_found(tmp_path: Path) -> None:
    made = settings(tmp_path)
    assert findings(made)["broker"].state == "warning"
    with processes(tmp_path / "logs", 10) as group:
        start_redis(group, made.state_dir.resolve() / "redis")
        assert findings(made)["broker"].said == "The Redis of `scenarist up` answers."


def test_a_state_folder_that_cannot_be_made_is_a_finding(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file")
    found = findings(settings(tmp_path))
    assert found["database"].state == "failed"
    assert "SCENARIST_STATE_DIR" in found["database"].todo


def test_an_installation_that_another_package_overwrote(tmp_path: Path) -> None:
    assert not overwritten()
    (tmp_path / "values.py").touch()
    assert not overwritten(tmp_path)
    (tmp_path / "token_scanner.py").touch()
    assert overwritten(tmp_path)


def test_passwords_are_not_shown(tmp_path: Path, closed_port: int) -> None:
    url = f"postgresql://me:secret-word@127.0.0.1:{closed_port}/x"
    database = findings(settings(tmp_path, database_url=url))["database"]
    assert database.state == "failed" and "secret-word" not in database.said + database.todo


def test_what_an_app_lacks_is_named(tmp_path: Path) -> None:
    with GitHubServer(tmp_path, {"a.txt": "a\n"}, "http://127.0.0.1:1/", "s") as github:
        key = tmp_path / "app.pem"
        key.write_text(github.private_key)
        app_settings = {
            "github_api_url": github.api_url,
            "github_app_id": str(APP_ID),
            "github_private_key_file": key,
        }
        assert findings(settings(tmp_path, **app_settings))["GitHub"].said == "The webhook secret is not set."
        app_settings["github_webhook_secret"] = "s"
        github.card = {
            "permissions": {"contents": "read", "issues": "write", "metadata": "read"},
            "events": [],
        }
        found = findings(settings(tmp_path, **app_settings))["GitHub"]
        assert found.state == "failed"
        assert (
            found.said == "The App lacks permissions: contents: write, pull_requests: write, checks: write."
        )
        granted = {
            "contents": "write",
            "issues": "write",
            "pull_requests": "write",
            "checks": "write",
            "metadata": "read",
        }
        github.card = {"permissions": granted, "events": ["issues"]}
        found = findings(settings(tmp_path, **app_settings))["GitHub"]
        assert found.state == "warning" and "logs of Actions" in found.said
        github.card["permissions"] = {**granted, "actions": "read"}
        found = findings(settings(tmp_path, **app_settings))["GitHub"]
        assert found.state == "warning" and "check_suite, issue_comment, pull_request, " in found.said
        assert found.said.endswith("repository.")
        github.card["events"] = sorted(EVENTS)
        assert findings(settings(tmp_path, **app_settings))["GitHub"].state == "ok"
        found = findings(settings(tmp_path, public_url="http://127.0.0.1:2", **app_settings))["GitHub"]
        assert found.state == "warning" and "goes to http://127.0.0.1:1/" in found.said
        assert "http://127.0.0.1:2/webhooks/github" in found.todo
        github.hook["content_type"] = "form"
        found = findings(settings(tmp_path, **app_settings))["GitHub"]
        assert found.state == "failed" and "application/json" in found.todo
        key.write_text("no key")
        assert findings(settings(tmp_path, **app_settings))["GitHub"].state == "failed"


def test_the_command_ends_with_1_when_something_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCENARIST_STATE_DIR", str(tmp_path / "state"))
    done = CliRunner().invoke(app, ["doctor"])
    assert done.exit_code == 1 and "✘ database: " in done.output and "✔ git: " in done.output
    assert "Next: correct what is marked ✘" in done.output


def test_a_delivery_that_github_could_not_bring_is_named(tmp_path: Path) -> None:
    with GitHubServer(tmp_path, {"a.txt": "a\n"}, "http://127.0.0.1:9/", "s") as github:
        given = {**github.settings(), "public_url": "http://127.0.0.1:2"}
        github.hook["url"] = "http://127.0.0.1:2/webhooks/github"
        github.card = {"permissions": dict(github.granted), "events": sorted(EVENTS)}
        assert findings(settings(tmp_path, **given))["GitHub"].state == "ok"
        github.deliver("ping", "g-1", b"{}")
        found = findings(settings(tmp_path, **given))["GitHub"]
        assert found.state == "warning" and "The newest delivery failed" in found.said


def test_the_permission_to_start_workflows_is_looked_at_where_runs_need_it(tmp_path: Path) -> None:
    with GitHubServer(tmp_path, {"a.txt": "a\n"}, "http://127.0.0.1:9/", "s") as github:

        def actions(**changes: object) -> CheckResult:
            given = {**github.settings(), "runner": "actions", "runner_secret": "x" * 32}
            return findings(settings(tmp_path, **{**given, "public_url": "http://a.b", **changes}))[
                "GitHub Actions"
            ]

        github.card = {"permissions": {**github.granted, "actions": "read"}, "events": sorted(EVENTS)}
        assert actions().said == "The App may not start workflows."
        github.card["permissions"]["actions"] = "write"
        github.granted["actions"] = "read"  # the owner has not accepted the change yet
        assert (actions().state, actions().said) == ("failed", "The App may not start workflows of: octo.")
        github.granted["actions"] = "write"
        assert actions().state == "ok"
        assert "SCN-7088" in actions(runner_secret="short").said
        assert actions(public_url="").said == "SCENARIST_PUBLIC_URL is not set."
        assert "GitHub Actions" not in findings(settings(tmp_path, **github.settings()))
        limits = tmp_path / "limits.yml"
        limits.write_text("runners: [actions]\n")
        assert actions(runner="celery", limits_file=limits).state == "ok"
    assert github.violations == []
