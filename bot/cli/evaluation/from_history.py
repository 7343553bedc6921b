"""`scenarist eval from-history`."""

import tempfile
from pathlib import Path
from typing import Annotated

import typer
import yaml
from rich.console import Console

from bot.cli.process import require_sandbox
from bot.config.settings import load_settings
from bot.evaluation.checks import check
from bot.evaluation.history import changes, task_of
from bot.evaluation.task_set import EvalSet, Task
from bot.evaluation.trees import Trees
from runners.git.local import commit_of, git_dir_of
from runners.policy.plaintext import for_terminal, one_line
from runners.sandbox.scratch import make_state_folder

_SHOWN = 160


def from_history(
    repo: Annotated[Path, typer.Argument(metavar="REPO", help="A clone on this machine.")],
    output: Annotated[Path, typer.Option(help="The file of the set.")] = Path("history.yml"),
    branch: Annotated[str, typer.Option(help="Where the main line ends.")] = "HEAD",
    most: Annotated[int, typer.Option(min=1, help="How many commits of the main line are looked at.")] = 200,
    tasks: Annotated[int, typer.Option(min=1, help="Tasks at most.")] = 20,
    files: Annotated[int, typer.Option(min=1, help="Product files that a change may edit at most.")] = 4,
    checked: Annotated[
        bool,
        typer.Option(
            "--check/--no-check", help="Keep only tasks that are red before the change and green after it."
        ),
    ] = True,
) -> None:
    """Write a set from a repository's history: changes that came with tests.

    A merged pull request, or a commit, that edits product and tests becomes a task: its message is the issue,
    its tests are hidden. Edit the issues before you use the set, because a message that was written after
    the work may give the solution away. A history has no tasks that cannot be done: add some yourself.
    """
    settings = load_settings()
    git_dir = git_dir_of(repo)
    commit_of(git_dir, branch)
    console, found = Console(stderr=True, highlight=False), list[Task]()
    if checked:
        require_sandbox(settings)
    with tempfile.TemporaryDirectory(prefix="scenarist-history-") as tmp:
        folder, unsafe = Path(tmp), settings.unsafe_no_sandbox
        make_state_folder(folder / "state")
        trees = Trees(folder / "sources", Path(), clones=None, unsafe=unsafe)
        for change in changes(git_dir, branch, most):
            if len(found) >= tasks:
                break
            task = task_of(git_dir, str(git_dir), change, most_files=files)
            if task is None or any(task.id == each.id for each in found):
                continue
            if checked:
                one = EvalSet(name="one", tasks=(task,))
                (seen,) = check(one, folder, trees, settings.command_limits, unsafe=unsafe)
                if seen.problem:
                    console.print(
                        one_line(for_terminal(f"✘ {task.id}: {seen.problem}"))[:_SHOWN], markup=False
                    )
                    continue
            console.print(one_line(for_terminal(f"✔ {task.id}: {change.title}"))[:_SHOWN], markup=False)
            found.append(task)
    if not found:
        console.print("No change makes a task: it needs Python tests beside a few files of the product.")
        raise typer.Exit(1)
    written = {
        "name": "history",
        "tasks": [each.model_dump(mode="json", exclude_defaults=True) for each in found],
    }
    text = yaml.safe_dump(written, sort_keys=False, allow_unicode=True, width=110)
    output.write_text(text, encoding="utf-8")
    typer.echo(f"Wrote {len(found)} tasks to {output}.")
