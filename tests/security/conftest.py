import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from runners.git.workspaces import Workspaces, Worktree
from runners.sandbox.bubblewrap import Sandbox
from runners.sandbox.limits import CommandLimits
from runners.sandbox.process import CommandResult
from runners.tools.base import ToolContext
from tests.support.attacks import Attack
from tests.support.tool_context import context


@pytest.fixture
def tree(tmp_path: Path) -> Iterator[Worktree]:
    """A worktree of an empty commit, as a phase has it."""
    origin = tmp_path / "origin"
    for words in (
        ["init", "-q", "-b", "main", str(origin)],
        ["-C", str(origin), "commit", "-q", "--allow-empty", "-m", "x"],
    ):
        subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b", *words], check=True)
    spaces = Workspaces(tmp_path / "state")
    mirror = spaces.mirror("local", "a/b")
    commit = mirror.fetch(f"file://{origin}", "", ["main"])["main"]
    with spaces.worktree(mirror, commit, "run", "work") as worktree:
        yield worktree


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    folder = tmp_path / "workspace"
    folder.mkdir()
    return folder


@pytest.fixture
def guarded(workspace: Path) -> Attack:
    """Run a bash script in the sandbox."""

    def run(script: str, limits: CommandLimits | None = None) -> CommandResult:
        return Sandbox(workspace).run(["bash", "-c", script], limits=limits)

    return run


@pytest.fixture
def unguarded(workspace: Path) -> Attack:
    """Run the same without one: the control."""

    def run(script: str, limits: CommandLimits | None = None) -> CommandResult:
        return Sandbox(workspace, unsafe=True).run(["bash", "-c", script], limits=limits)

    return run


@pytest.fixture
def ctx(tmp_path: Path) -> ToolContext:
    return context(tmp_path)
