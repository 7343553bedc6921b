"""Plain mistakes on the command line are no defects of Scenarist: no command answers them with SCN-0000."""

import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bot.cli.app import Commands, _unexpected, app
from gherkin.errors import ScenaristError

# Words that stand for a path or a value of each kind; see `places`.
MISTAKES = [
    "audit FILE",
    "backlog GOOD --repo ab",
    "backlog GOOD --repo a/b",
    "backlog GOOD --repo a/b --forge nosuch",
    "backlog MISSING --repo a/b",
    "backlog FOLDER --repo a/b",
    "backlog BINARY --repo a/b",
    "backlog UNREADABLE --repo a/b",
    "cancel nosuch",
    "checkout nosuch",
    "config check MISSING",
    "config check EMPTY",
    "config check BINARY",
    "config nosuch",
    "costs --days x",
    "demo --runtime nosuch --keep FOLDER",
    "demo --keep FILE",
    "dispatch",
    "domain --repo FILE",
    "domain --repo MISSING",
    "domain --repo FOLDER --model",
    "eval report MISSING",
    "eval run MISSING",
    "eval run BINARY",
    "lint MISSING",
    "lint BINARY",
    "lint EMPTY",
    "log nosuch",
    "mcp accept nosuch",
    "models nosuch",
    "nosuch",
    "pause nosuch",
    "resume nosuch",
    "retry nosuch",
    "retry nosuch --phase nosuch",
    "runs --limit 0",
    "runs --state nosuch",
    "patch x",
    "serve --port 70000",
    "setup nosuch",
    "setup gitlab",
    "setup gitlab a/b",
    "spec BINARY",
    "onboard nothing",
    "onboard octo/calc --forge mars",
    "run --issue MISSING",
    "run --issue FOLDER",
    "run --issue FILE --repo EMPTY",
    "run --issue FILE --repo MISSING",
    "run",
    "spec MISSING",
    "spec GOOD --repo FILE",
    "spec GOOD --repo MISSING",
    "verify --base x --feature y --repo FILE",
    "verify --base x --feature y --repo MISSING",
    "verify --base x --feature y --repo FOLDER",
    "worker --queues nosuch",
    "worker --queues ,",
    "up --port x",
]
# Besides, with a state folder that cannot be made.
NEED_THE_STATE = [
    "migrate",
    "doctor",
    "gc",
    "runs",
    "costs",
    "log x",
    "retry x --phase publish",
    "worker",
    "onboard octo/calc",
]


@pytest.fixture
def places(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "folder").mkdir()
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("text")
    (tmp_path / "binary.feature").write_bytes(b"\xff\xfe\x00\x80")
    (tmp_path / "good.yml").write_text("stories:\n- id: a\n  title: Add a thing\n")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    return {
        "FOLDER": str(tmp_path / "folder"),
        "EMPTY": str(tmp_path / "empty"),
        "FILE": str(tmp_path / "file"),
        "BINARY": str(tmp_path / "binary.feature"),
        "GOOD": str(tmp_path / "good.yml"),
        "MISSING": str(tmp_path / "missing" / "deep"),
        "UNREADABLE": str(tmp_path / "loop"),
    }


def told(command: str, places: dict[str, str]) -> ScenaristError | None:
    """Run a command that cannot work; its error in Scenarist's words, None where the usage was explained."""
    done = CliRunner().invoke(app, [places.get(word, word) for word in command.split()])
    assert done.exit_code != 0, done.output
    error = done.exception
    if error is None or isinstance(error, SystemExit):
        return None
    assert isinstance(error, Exception)
    return error if isinstance(error, ScenaristError) else _unexpected(error)


@pytest.mark.parametrize("command", MISTAKES)
def test_a_mistake_is_no_defect(
    command: str, places: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCENARIST_STATE_DIR", str(tmp_path / "state"))
    error = told(command, places)
    assert error is None or error.code != ScenaristError.code, error


@pytest.mark.parametrize("command", NEED_THE_STATE)
def test_a_state_folder_that_cannot_be_made_is_no_defect(
    command: str, places: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCENARIST_STATE_DIR", f"{places['FILE']}/state")
    error = told(command, places)
    assert error is None or error.code != ScenaristError.code, error


def test_a_defect_is_still_called_one() -> None:
    assert _unexpected(ZeroDivisionError()).code == ScenaristError.code
    assert _unexpected(FileNotFoundError(2, os.strerror(2), "/x")).message == "/x: No such file or directory."


def test_every_command_has_its_mistakes() -> None:
    tried = {command.split()[0] for command in [*MISTAKES, *NEED_THE_STATE]}
    # `action` reads a job's environment, which has tests of its own; the others take nothing that can be
    # wrong.
    assert set(Commands.table) - tried <= {"action", "version", "init"}


def test_mistyped_variables_are_named_and_change_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "f.feature").write_text("Feature: x\n\n  Scenario: y\n    When z\n    Then 3\n")
    monkeypatch.setenv("SCENARIST_MODLE_URL", "x")
    done = CliRunner().invoke(app, ["lint", str(tmp_path)])
    assert done.exit_code == 0 and "Did you mean SCENARIST_MODEL_URL?" in done.stderr
