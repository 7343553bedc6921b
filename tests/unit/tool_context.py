"""What the tests of the tools share: a context on a real folder, with a real sandbox and a real git."""

import json
from pathlib import Path
from typing import Any

from runners.gitio import git
from runners.models.chat import ToolCall
from runners.sandbox import Sandbox
from runners.tools import EDIT_TOOLS
from runners.tools.base import Toolbox, ToolContext, ToolResult


class Reader:
    """Git on `work`, with the git directory beside it."""

    def __init__(self, work: Path, git_dir: Path) -> None:
        self.work = work
        self.git_dir = git_dir
        self._git("init", "--quiet")
        self._git("commit", "--quiet", "--allow-empty", "-m", "first")

    def _git(self, *args: str) -> str:
        return git(*args, git_dir=self.git_dir, work_tree=self.work)

    def status(self) -> str:
        return self._git("status", "--short")

    def diff(self, path: str | None, base: bool) -> str:
        self._git("add", "-N", ".")
        return self._git("diff", *(("--", path) if path else ()))

    def log(self, limit: int, path: str | None) -> str:
        return self._git("log", "--oneline", f"-{limit}", *(("--", path) if path else ()))


def context(tmp_path: Path, **changes: Any) -> ToolContext:
    work = tmp_path / "work"
    work.mkdir()

    def run_tests(paths: str | None) -> ToolResult:
        return ToolResult(ok=True, text=f"tested {paths}")

    given = {
        "root": work,
        "sandbox": Sandbox(work),
        "git": Reader(work, tmp_path / "repo.git"),
        "run_tests": run_tests,
    }
    return ToolContext(**{**given, **changes})


def call(ctx: ToolContext, name: str, **arguments: Any) -> ToolResult:
    request = ToolCall(id="1", name=name, arguments=json.dumps(arguments))
    return Toolbox(EDIT_TOOLS).call(ctx, request)
