"""Every command with wrong paths, types and encodings: each is told in words, and none is a defect.

What would go on for long (servers, workers, a run) is stopped where it begins.
"""

import random
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from bot.cli.app import _unexpected, app
from bot.cli.lazy import LazyCommand
from bot.config.settings import Settings, SettingsInvalid, load_settings
from gherkin.errors import ScenaristError

# Values that no parameter is ready for. `\udcff` is how an argument that is not UTF-8 arrives.
_TEXTS = (
    *("", " ", "-1", "0", "1e999", "nan", "9" * 30, "x" * 5000, "🟢", "caf\udcff", "\u202e/\u200b"),
    *("https://[", "http://:0", "file:///etc/passwd", "..", "/", "~", "{}", "%s", "a/b/c", "-", "--", "-h"),
)
# Parameters whose value decides where a command looks, if it is not the one that is tried.
_SAFE = {
    "--repo": "EMPTY",
    "--port": "1",
    "--issue": "MISSING",
    "--base": "HEAD",
    "--feature": "x.feature",
    "--phase": "verify",
    "--keep": "FILE",
    "--folder": "FOLDER",
}
# A few of the values for each parameter in each run of the tests; `slow` tries all.
_FEW = 3


def commands() -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command that does something, with its words."""

    def below(group: Any, words: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
        for name in group.list_commands(typer.Context(group)):
            command = group.get_command(typer.Context(group), name)
            if isinstance(command, LazyCommand):
                command = command.lazy.load(name)
            if hasattr(command, "list_commands"):
                yield from below(command, (*words, name))
            else:
                yield (*words, name), command

    yield from below(typer.main.get_command(app), ())


def test_there_are_commands() -> None:
    found = {" ".join(words) for words, _ in commands()}
    assert len(found) > 30 and {"run", "setup github", "models serve", "config check"} <= found


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Paths of each wrong kind; nothing outside the temporary folder is reached."""
    for name in ("folder", "empty", "home"):
        (tmp_path / name).mkdir()
    (tmp_path / "file").write_text("text")
    (tmp_path / "folder" / "binary.feature").write_bytes(b"\xff\xfe\x00\x80" * 300)
    (tmp_path / "folder" / "deep.yml").write_text("[" * 3000)
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / ".git").write_text("gitdir: /nowhere\n")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        closed = probe.getsockname()[1]
    monkeypatch.chdir(tmp_path / "empty")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("SCENARIST_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("SCENARIST_MODEL_URL", f"http://127.0.0.1:{closed}/v1")
    monkeypatch.setenv("SCENARIST_BROKER_URL", f"redis://127.0.0.1:{closed}/0")
    monkeypatch.setenv("SCENARIST_GITHUB_API_URL", f"http://127.0.0.1:{closed}")
    monkeypatch.setenv("SCENARIST_GITLAB_URL", f"http://127.0.0.1:{closed}")
    monkeypatch.setattr("bot.cli.setup.github._HOUR_S", 0)
    monkeypatch.setattr("webbrowser.open", lambda _url: True)
    monkeypatch.setattr("bot.cli.operate.up.run_up", lambda *_: None)
    monkeypatch.setattr("uvicorn.Server.run", lambda *_args, **_more: None)
    monkeypatch.setattr("celery.app.base.Celery.worker_main", lambda *_: None)
    monkeypatch.setattr("bot.cli.operate.demo.run_demo", lambda _options: 0)
    monkeypatch.setattr("bot.cli.models.serve.serve", lambda *_: 0)
    monkeypatch.setattr("bot.cli.models.serve.gpus", list)
    paths = ("FOLDER", "EMPTY", "FILE", "LOOP", "ODD")
    found = {name: str(tmp_path / name.lower()) for name in paths}
    found["BINARY"] = str(tmp_path / "folder" / "binary.feature")
    found["DEEP"] = str(tmp_path / "folder" / "deep.yml")
    return {**found, "MISSING": str(tmp_path / "missing" / "deep")}


def lines(command: Any, tried: Any, value: str, places: dict[str, str]) -> list[str]:
    """The arguments of a command, with `value` for the parameter `tried` and safe values where they are needed."""
    words: list[str] = []
    for each in command.params:
        name = each.opts[0]
        if each is tried:
            given = value
        elif name in _SAFE:
            given = places.get(_SAFE[name], _SAFE[name])
        elif each.required:
            given = places["MISSING"]
        else:
            continue
        if each.param_type_name == "argument":
            words.append(given)
        elif each is tried and getattr(each, "is_flag", False):
            words.append(f"{name}={given}")
        else:
            words += [name, given]
    return words


def told(words: list[str]) -> str | None:
    """What is wrong with how a command ended; None if nothing is."""
    done = CliRunner().invoke(app, words)
    error = done.exception
    if error is None or isinstance(error, SystemExit):
        return None if "Traceback" not in done.output else done.output
    assert isinstance(error, Exception)
    said = error if isinstance(error, ScenaristError) else _unexpected(error)
    return f"{type(error).__name__}: {error}" if said.code == ScenaristError.code else None


def wrong(words: tuple[str, ...], command: Any, places: dict[str, str], most: int) -> list[str]:
    """Try each parameter of a command with up to `most` wrong values; returns what was a defect."""
    chosen, found = random.Random(" ".join(words)), []
    for each in command.params:
        pool = [*places.values(), *_TEXTS]
        for value in chosen.sample(pool, min(most, len(pool))):
            arguments = [*words, *lines(command, each, value, places)]
            if problem := told(arguments):
                found.append(f"{arguments!r}: {problem}")
    return found


@pytest.mark.parametrize(
    ("words", "command"), [pytest.param(*each, id="-".join(each[0])) for each in commands()]
)
def test_no_value_is_a_defect(words: tuple[str, ...], command: Any, places: dict[str, str]) -> None:
    assert wrong(words, command, places, _FEW) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "command"), [pytest.param(*each, id="-".join(each[0])) for each in commands()]
)
def test_no_value_at_all_is_a_defect(words: tuple[str, ...], command: Any, places: dict[str, str]) -> None:
    assert wrong(words, command, places, 1000) == []


@pytest.mark.parametrize("field", Settings.model_fields)
def test_no_value_of_a_setting_is_a_defect(field: str, monkeypatch: pytest.MonkeyPatch) -> None:
    refused = 0
    for value in _TEXTS:
        monkeypatch.setenv(f"SCENARIST_{field.upper()}", value)
        try:
            load_settings()
        except SettingsInvalid as error:
            refused += field.upper() in error.message or "RUNTIME" in error.message
    assert refused or Settings.model_fields[field].annotation not in (int, float, bool)
