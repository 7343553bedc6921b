"""A tool context for tests, on a real folder, with a real sandbox and a real git."""

import json
from pathlib import Path
from typing import Any

from runners.git.command import git
from runners.git.model_git import TreeGit
from runners.loop.audit import Trail
from runners.loop.calls import Caller
from runners.models.chat import ToolCall
from runners.policy.quota import Meter, Quotas
from runners.sandbox.bubblewrap import Sandbox
from runners.tools import FAR_TOOLS, FULL_TOOLS
from runners.tools.base import Toolbox, ToolContext, ToolResult


def tree_git(work: Path, git_dir: Path) -> TreeGit:
    """Return git on the folder `work`, with the git directory `git_dir` and one empty commit."""

    def run(*args: str) -> str:
        return git(*args, git_dir=git_dir, work_tree=work)

    def stage() -> None:
        run("add", "--all")

    run("init", "--quiet")
    run("commit", "--quiet", "--allow-empty", "-m", "first")
    return TreeGit(run, stage, run("rev-parse", "HEAD"))


def context(tmp_path: Path, **changes: Any) -> ToolContext:
    work = tmp_path / "work"
    work.mkdir()

    def run_tests(paths: str | None) -> ToolResult:
        return ToolResult(ok=True, text=f"tested {paths}")

    given = {
        "root": work,
        "sandbox": Sandbox(work),
        "git": tree_git(work, tmp_path / "repo.git"),
        "run_tests": run_tests,
    }
    return ToolContext(**{**given, **changes})


def caller(ctx: ToolContext, quotas: Quotas | None = None, **more: Any) -> Caller:
    """Return a `Caller` of all tools on `ctx`, with a new audit trail; it gets `quotas` and `more`."""
    bounds = quotas or Quotas()
    meter = Meter(bounds, bounds)
    return Caller(Toolbox((*FULL_TOOLS, *FAR_TOOLS)), ctx, Trail("full", ctx.redactor), meter, **more)


def call(ctx: ToolContext, name: str, /, **arguments: Any) -> ToolResult:
    request = ToolCall(id="1", name=name, arguments=json.dumps(arguments))
    return Toolbox((*FULL_TOOLS, *FAR_TOOLS)).call(ctx, request)


def asked(name: str, **arguments: Any) -> ToolCall:
    """Return a model's call of the tool `name` with these arguments."""
    return ToolCall(id=name, name=name, arguments=json.dumps(arguments))
