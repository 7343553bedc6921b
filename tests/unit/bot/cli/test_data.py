"""Commands that print data, for people and as JSON."""

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from bot.cli.app import Commands, app
from bot.cli.runs.runs import age
from bot.config.repository import RepoConfig
from bot.storage.store import open_store
from tests.support import logs

ROOT = Path(__file__).parents[4]


def said(*words: str, status: int = 0) -> str:
    done = CliRunner().invoke(app, words)
    assert done.exit_code == status, done.output
    return done.stdout


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SCENARIST_STATE_DIR", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")
    said("migrate")
    store = open_store(f"sqlite:///{tmp_path / 'scenarist.db'}")
    assert store.request_run(logs.REQUESTED, target="local:octo/calc:issue:12", exclusive=False)
    return tmp_path


@pytest.mark.usefixtures("state")
def test_runs_are_listed_and_filtered() -> None:
    text = said("runs")
    assert logs.REQUESTED.order.title in text and "0.00" in text and " s " in text
    (row,) = json.loads(said("runs", "--json"))
    assert row["title"] == logs.REQUESTED.order.title and row["pull"] == 0 and row["cost"] == 0
    assert row["standing"] == "queued" and row["created_at"] <= row["since"]
    for words in (["--repo", row["repo"]], ["--person", row["person"]], ["--state", "open"]):
        assert len(json.loads(said("runs", *words, "--json"))) == 1
    for words in (["--repo", "a/b"], ["--person", "nobody"], ["--state", "done"], ["--kind", "onboard"]):
        assert json.loads(said("runs", *words, "--json")) == []
    assert said("runs", "--repo", "a/b") == "There is no such run.\n"


@pytest.mark.usefixtures("state")
def test_the_id_of_a_run_is_whole_in_a_narrow_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    (row,) = json.loads(said("runs", "--json"))
    assert row["id"] in said("runs")


@pytest.mark.parametrize(
    ("seconds", "shown"), [(-1, "0 s"), (59, "59 s"), (60, "1 min"), (7200, "2 h"), (200_000, "2 d")]
)
def test_an_age_is_in_its_largest_unit(seconds: float, shown: str) -> None:
    assert age(seconds) == shown


@pytest.mark.usefixtures("state")
def test_other_lists_are_json_too() -> None:
    (row,) = json.loads(said("costs", "--json"))
    assert row["runs"] == 1 and set(row) == {"forge", "repo", "runs", "done", "tokens", "cost", "minutes"}
    assert json.loads(said("gc", "--dry-run", "--json"))["dry_run"] is True


def test_results_of_commands_are_json_too(state: Path) -> None:
    assert json.loads(said("migrate", "--json"))["database"].endswith("/scenarist.db")
    (run,) = open_store(f"sqlite:///{state / 'scenarist.db'}").list_runs()
    assert json.loads(said("cancel", run.id, "--json")) == {"run": run.id, "control": "cancel"}
    first = json.loads(said("onboard", "octo/new", "--forge", "local", "--json"))
    assert first["run"] and json.loads(said("onboard", "octo/new", "--forge", "local", "--json")) == {
        "run": None
    }
    assert "terms" in json.loads(said("domain", "--repo", str(state), "--json"))
    done = CliRunner().invoke(app, ["doctor", "--queues", "intake", "--json"])
    checks = {each["name"]: each for each in json.loads(done.stdout)}
    assert checks["database"]["state"] == "ok" and checks["git"]["todo"] == ""


def test_settings_are_checked_before_they_are_merged(tmp_path: Path) -> None:
    (tmp_path / ".scenarist.yml").write_text("version: 1\n")
    assert said("config", "check", str(tmp_path)) == "It can be used.\n"
    (tmp_path / ".scenarist.yml").write_text("commands: make\n")
    assert "line 1: commands should be a list." in said("config", "check", str(tmp_path), status=1)
    (tmp_path / ".scenarist").mkdir()
    (tmp_path / ".scenarist" / "domain.yml").write_text("terms: cart\n")
    found = json.loads(said("config", "check", str(tmp_path / ".scenarist.yml"), "--json", status=1))
    assert not found["valid"] and len(found["problems"]) == 2 and "domain.yml: terms" in found["problems"][1]


def test_the_schema_has_a_name_and_knows_every_key() -> None:
    schema = json.loads(said("config", "schema"))
    assert schema["$id"].startswith("urn:scenarist:") and "2020-12" in schema["$schema"]
    assert set(schema["properties"]) == set(RepoConfig.model_fields)
    assert schema == json.loads((ROOT / "docs" / "scenarist.schema.json").read_text())


def test_every_command_is_in_the_reference() -> None:
    text = (ROOT / "docs" / "cli.md").read_text()
    groups = {"models", "setup", "config"}
    for name in set(Commands.table) - groups:
        assert f"\n## `scenarist {name}" in text, name
    assert "`scenarist models check`" in text and "| 130 |" in text and isinstance(app, typer.Typer)
