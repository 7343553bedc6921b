"""The pages for operators: each command can be given as it stands there, each variable and each check exists."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.exceptions import TyperException

from bot.cli.app import app
from bot.cli.lazy import LazyCommand
from bot.cli.options import QUEUE_NAMES
from bot.config.settings import OTHER_VARIABLES, Settings
from bot.storage.database import connect
from bot.telemetry.health import Health
from bot.worker.machine import CREDENTIALS

DOCS = Path(__file__).parents[5] / "docs"
PAGES = ("operating.md", "kubernetes.md", "kubernetes-jobs.md", "actions.md", "scaling.md")
_SPAN = re.compile(r"`(scenarist [a-z][^`\n]*)`")
# In a block two spaces separate a command from what is said of it; `a | b` are two commands.
_LINE = re.compile(r"^    (?:kubectl .* -- )?(scenarist [a-z].*?)(?:  .*)?$", re.MULTILINE)


def commands(page: str) -> list[str]:
    """The commands of a page, without redirections."""
    found = [each.partition(" > ")[0] for pattern in (_SPAN, _LINE) for each in pattern.findall(page)]
    several = re.compile(r"^scenarist (\w+(?: \| \w+)+)(.*)$")
    for each in list(found):
        if parted := several.match(each):
            found.remove(each)
            found += [f"scenarist {name}{parted[2]}" for name in parted[1].split(" | ")]
    return found


def refusal(text: str) -> str:
    """What the command line says against a command; empty if it would begin.

    A command that is only named, without any word, is not asked for its arguments.
    """
    words = shlex.split(text)[1:]
    command: Any = typer.main.get_command(app)
    context = typer.Context(command)
    while hasattr(command, "list_commands"):
        name, *words = words or [""]
        command, above = command.get_command(context, name), command
        if command is None:
            return f"{name} is none of {above.list_commands(context)}"
        if isinstance(command, LazyCommand):
            command = command.lazy.load(name)
        context = typer.Context(command, parent=context, info_name=name)
    try:
        if words:
            command.make_context(name, words)
    except TyperException as error:
        return str(error)
    return ""


@pytest.mark.parametrize("name", PAGES)
def test_each_command_can_be_given_as_it_stands(name: str) -> None:
    numbered = [each.replace("FENCE", "1") for each in commands((DOCS / name).read_text())]
    assert {each: said for each in numbered if (said := refusal(each))} == {}


def test_commands_are_found_and_wrong_ones_are_refused() -> None:
    assert len(commands((DOCS / "operating.md").read_text())) > 15
    assert commands("    scenarist pause | resume RUN\n    scenarist runs      the newest\n") == [
        "scenarist runs",
        "scenarist pause RUN",
        "scenarist resume RUN",
    ]
    assert "--queue" in refusal("scenarist worker --queue runs")
    assert "serv" in refusal("scenarist serv --port 1")
    assert refusal("scenarist worker --queues runs") == ""


@pytest.mark.parametrize("name", PAGES)
def test_each_variable_is_a_setting(name: str) -> None:
    known = {f"SCENARIST_{each.upper()}" for each in Settings.model_fields} | OTHER_VARIABLES
    assert set(re.findall(r"SCENARIST_[A-Z_]*[A-Z]", (DOCS / name).read_text())) <= known


def test_the_table_of_checks_has_those_of_readyz() -> None:
    page = (DOCS / "operating.md").read_text()
    table = page.partition("| check | passes when |")[2].partition("\n\n")[0]
    health = Health(Settings(), connect("sqlite://"), ["runs"])
    assert set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == set(health._checks)


def test_the_table_of_variables_gives_no_runner_a_credential_of_a_forge() -> None:
    page = (DOCS / "operating.md").read_text()
    table = page.partition("| variable | web | intake, publish | runs |")[2].partition("\n\n")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[1:]]
    of_runs = {
        name for cells in rows[1:] if cells[-1] == "yes" for name in re.findall(r"SCENARIST_\w+", cells[0])
    }
    assert "SCENARIST_MODEL_URL" in of_runs and not of_runs & set(CREDENTIALS)
    queues = set(re.findall(r"--queues ([\w,]+)`", page.partition("Which process needs")[0]))
    assert {name for each in queues for name in each.split(",")} == set(QUEUE_NAMES)
