"""`scenarist eval check`."""

import fnmatch
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from bot.cli.evaluation.options import Clones, Out, SetName
from bot.cli.process import require_sandbox
from bot.config.settings import load_settings
from bot.evaluation.checks import check as checked
from bot.evaluation.task_set import read_set
from bot.evaluation.trees import Trees
from runners.policy.plaintext import for_terminal, one_line
from runners.sandbox.scratch import make_state_folder

_SHOWN = 300


def check(
    set_name: SetName,
    out: Out = Path("eval-check"),
    only: Annotated[str, typer.Option(help="Only tasks whose id matches this glob.")] = "*",
    clones: Clones = None,
) -> None:
    """Check a set without a model: hidden tests fail on the base and pass with the fix.

    Exit status 1 when a task is wrong or cannot be fetched.
    """
    settings = load_settings()
    require_sandbox(settings)
    found = read_set(set_name)
    tasks = tuple(task for task in found.tasks if fnmatch.fnmatchcase(task.id, only))
    folder, unsafe = out.resolve(), settings.unsafe_no_sandbox
    make_state_folder(folder / "state")
    trees = Trees(folder / "sources", found.place, clones=clones.resolve() if clones else None, unsafe=unsafe)
    console, wrong = Console(highlight=False), 0
    chosen = found.model_copy(update={"tasks": tasks})
    for each in checked(chosen, folder, trees, settings.command_limits, unsafe=unsafe):
        wrong += bool(each.problem)
        said = f"✘ {each.task}: {each.problem}" if each.problem else f"✔ {each.task}: {each.note}"
        console.print(one_line(for_terminal(said))[:_SHOWN], markup=False)
    console.print(f"{len(tasks) - wrong} of {len(tasks)} tasks are right.")
    raise typer.Exit(1 if wrong else 0)
