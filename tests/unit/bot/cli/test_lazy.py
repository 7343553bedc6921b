"""Commands are listed without being imported, and are what the list says."""

import gc
import inspect
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module

import pytest
import typer
from typer.testing import CliRunner

from bot import __version__
from bot.cli.app import Commands, app
from bot.cli.lazy import Lazy, LazyGroup


def groups() -> Iterator[tuple[type[LazyGroup], list[str]]]:
    """Every group of commands, and the words that call it."""
    yield Commands, []
    for name, lazy in Commands.table.items():
        module, _, attribute = lazy.target.partition(":")
        found = getattr(import_module(module), attribute)
        if isinstance(found, typer.Typer):
            group = typer.main.get_command(found)
            if isinstance(group, LazyGroup):
                yield type(group), [name]


WORDS = dict(groups())
EVERY = [(group, name) for group in WORDS for name in group.table]


@pytest.mark.parametrize(("group", "name"), EVERY)
def test_the_list_says_what_the_command_says(group: type[LazyGroup], name: str) -> None:
    lazy: Lazy = group.table[name]
    command = lazy.load(name)
    assert command.name == name
    assert all("\n" not in paragraph for paragraph in (command.help or "").split("\n\n"))
    module, _, attribute = lazy.target.partition(":")
    found = getattr(import_module(module), attribute)
    documented = found.info.help if hasattr(found, "info") else inspect.getdoc(found)
    assert documented.splitlines()[0] == lazy.help
    if name != "version":
        shown = CliRunner().invoke(app, [*WORDS[group], name, "--help"])
        assert shown.exit_code == 0
        assert "Usage" in shown.output


def test_help_imports_no_command() -> None:
    script = (
        "import sys\nfrom typer.testing import CliRunner\nfrom bot.cli.app import app\n"
        "assert CliRunner().invoke(app, ['--help']).exit_code == 0\n"
        "print([name for name in sys.modules if name in ('pydantic', 'sqlalchemy', 'celery', "
        "'bot.cli.runs.log')])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_garbage_collector_rests_only_while_a_command_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    frozen: list[bool] = []
    monkeypatch.setattr(gc, "freeze", lambda: frozen.append(gc.isenabled()))
    gc.disable()
    try:
        Commands.table["version"].load("version")
        assert gc.isenabled() and frozen == [False]
    finally:
        gc.enable()
    Commands.table["version"].load("version")
    assert frozen == [False], "it was on, and somebody else's objects stay as they are"


def test_the_tools_do_not_load_redis() -> None:
    script = "import sys, runners.tools; print('redis' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_the_version_is_an_option_and_a_command() -> None:
    for arguments in (["--version"], ["version"]):
        assert CliRunner().invoke(app, arguments).output.strip() == __version__


def test_an_unknown_command_is_named() -> None:
    done = CliRunner().invoke(app, ["lnit"])
    assert done.exit_code == 2
    assert "lnit" in done.output
