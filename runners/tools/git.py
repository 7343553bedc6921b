"""Tools that read the history; the git directory itself cannot be reached from the workspace."""

from pydantic import Field

from runners.tools.base import Arguments, ToolContext, ToolResult, tool
from runners.tools.paths import normalise


class GitStatus(Arguments):
    pass


@tool("git.read", writes=False)
def git_status(ctx: ToolContext, args: GitStatus) -> ToolResult:
    """Show which files differ from the last commit."""
    return _said(ctx.git.status(), "Nothing differs from the last commit.")


class GitDiff(Arguments):
    path: str | None = Field(default=None, description="Only this file or folder, relative to the workspace.")
    base: bool = Field(default=False, description="Compare with where the work began, not the last commit.")


@tool("git.read", writes=False)
def git_diff(ctx: ToolContext, args: GitDiff) -> ToolResult:
    """Show what was changed since the last commit, as a unified diff."""
    return _said(ctx.git.diff(_path(args.path), args.base), "There is no difference.")


class GitLog(Arguments):
    limit: int = Field(default=10, ge=1, le=100, description="How many commits to show, newest first.")
    path: str | None = Field(default=None, description="Only commits that touched this file or folder.")


@tool("git.read", writes=False)
def git_log(ctx: ToolContext, args: GitLog) -> ToolResult:
    """Show the newest commits."""
    return _said(ctx.git.log(args.limit, _path(args.path)), "There is no commit.")


def _path(path: str | None) -> str | None:
    return None if path is None else normalise(path)


def _said(text: str, nothing: str) -> ToolResult:
    return ToolResult(ok=True, text=text.rstrip() or nothing)
