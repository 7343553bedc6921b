"""Check the tasks of a set without a model: hidden tests fail on the base and pass with the fix."""

from collections.abc import Iterator
from pathlib import Path

from bot.evaluation.judge import Judge
from bot.evaluation.repositories import base_files, repository_of
from bot.evaluation.task_set import EvalSet, Task
from bot.evaluation.trees import Trees
from bot.worker.local_runs import clone_name
from gherkin.errors import ScenaristError
from gherkin.values import Frozen
from runners.git.workspaces import Workspaces
from runners.sandbox.limits import CommandLimits


class TaskCheck(Frozen):
    """The result of checking a task; `problem` is empty for a good one, `note` says what was found."""

    task: str
    note: str = ""
    problem: str = ""


def check(
    chosen: EvalSet, folder: Path, trees: Trees, limits: CommandLimits, *, unsafe: bool
) -> Iterator[TaskCheck]:
    """Yield what is found of each task; repositories and environments are made below `folder`."""
    workspaces = Workspaces(folder / "state")
    judge = Judge(workspaces, limits, unsafe=unsafe)
    for task in chosen.tasks:
        try:
            yield _checked(task, folder, trees, workspaces, judge)
        except ScenaristError as error:
            yield TaskCheck(task=task.id, problem=str(error))


def _checked(task: Task, folder: Path, trees: Trees, workspaces: Workspaces, judge: Judge) -> TaskCheck:
    repository = repository_of(task, folder / "repositories", base_files(task, trees, {}))
    if task.hidden is None:
        return TaskCheck(task=task.id, note="cannot be done, and its repository can be fetched")
    hidden, tests = trees.laid(task.hidden.files), task.hidden.tests
    mirror = workspaces.mirror("local", clone_name(repository))
    base = judge.judge(repository, mirror, "", hidden, tests)
    if base.green:
        return TaskCheck(task=task.id, problem="its hidden tests pass on the base already")
    if not task.fix:
        return TaskCheck(task=task.id, note="red on the base; it names no fix")
    fixed = judge.judge(repository, mirror, trees.laid(task.fix), hidden, tests)
    if not fixed.green:
        failed = fixed.problem or f"{', '.join(fixed.failed[:5]) or 'no test ran'}"
        return TaskCheck(task=task.id, problem=f"its hidden tests fail with the fix: {failed}")
    return TaskCheck(task=task.id, note="red on the base, green with the fix")
