"""Tools for local git. Commands in the workspace cannot reach the git directory itself."""

import difflib
from collections.abc import Callable
from typing import TypeVar

from pydantic import Field

from runners.git.model_git import GitRefused
from runners.tools.base import Arguments, Refused, ToolContext, ToolResult, tool
from runners.tools.files.paths import normalise
from runners.tools.files.read_write import read_text, refuse_protected

T = TypeVar("T")
# In lines. The time of a comparison grows faster than the files, and it runs outside of the sandbox.
_MAX_COMPARED = 5_000


class GitStatus(Arguments):
    pass


@tool("git.read", writes=False)
def git_status(ctx: ToolContext, args: GitStatus) -> ToolResult:
    """List the files that differ from the last commit."""
    return _said(_git(ctx.git.status), "Nothing differs from the last commit.")


class GitDiff(Arguments):
    path: str | None = Field(default=None, description="Only this file or folder, relative to the workspace.")
    base: bool = Field(
        default=False, description="Compare with the start of your work instead of the last commit."
    )


@tool("git.read", writes=False)
def git_diff(ctx: ToolContext, args: GitDiff) -> ToolResult:
    """Show the changes since the last commit as a unified diff."""
    return _said(_git(lambda: ctx.git.diff(_path(args.path), args.base)), "There is no difference.")


class DiffFiles(Arguments):
    path: str = Field(description="A file, relative to the workspace.")
    other: str | None = Field(
        default=None,
        description="The file to compare with; leave out to compare with `path` at the start of your work.",
    )


@tool("files.read", writes=False)
def diff_files(ctx: ToolContext, args: DiffFiles) -> ToolResult:
    """Compare two files, or a file with its state at the start of your work. Returns a unified diff."""
    path = normalise(args.path)
    if args.other is None:
        return git_diff(ctx, GitDiff(path=path, base=True))
    other = normalise(args.other)
    before, after = (read_text(ctx, each).text.splitlines(keepends=True) for each in (path, other))
    if max(len(before), len(after)) > _MAX_COMPARED:
        raise Refused(f"A file has more than {_MAX_COMPARED:,} lines. Use shell with `diff -u`.")
    lines = difflib.unified_diff(before, after, path, other)
    diff = "".join(
        line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines
    )
    return ToolResult(ok=True, text=diff.rstrip("\n") or "There is no difference.")


class GitLog(Arguments):
    limit: int = Field(default=10, ge=1, le=100, description="How many commits to show (1 to 100).")
    path: str | None = Field(default=None, description="Only commits that changed this file or folder.")


@tool("git.read", writes=False)
def git_log(ctx: ToolContext, args: GitLog) -> ToolResult:
    """List the newest commits, newest first."""
    return _said(_git(lambda: ctx.git.log(args.limit, _path(args.path))), "There is no commit.")


class GitShow(Arguments):
    revision: str = Field(
        default="HEAD",
        description="A commit: HEAD, base (the start of your work), a branch or an id. `~1`: its parent.",
    )
    path: str | None = Field(
        default=None, description="Show the content of this file in the commit instead of the diff."
    )


@tool("git.read", writes=False)
def git_show(ctx: ToolContext, args: GitShow) -> ToolResult:
    """Show a commit with its diff, or the content of one file in that commit."""
    return _said(_git(lambda: ctx.git.show(args.revision, _path(args.path))), "There is nothing to show.")


class GitBlame(Arguments):
    path: str = Field(description="The file, relative to the workspace.")
    start_line: int = Field(default=1, ge=1, description="First line, counted from 1.")
    end_line: int = Field(ge=1, description="Last line.")


@tool("git.read", writes=False)
def git_blame(ctx: ToolContext, args: GitBlame) -> ToolResult:
    """Show for each line of a file which commit changed it last. Uncommitted changes are not shown."""
    path = normalise(args.path)
    return _said(
        _git(lambda: ctx.git.blame(path, args.start_line, args.end_line)), "There is nothing to show."
    )


class GitMergeBase(Arguments):
    one: str = Field(description="A commit: HEAD, base (the start of your work), a branch or an id.")
    other: str = Field(description="Another commit.")


@tool("git.read", writes=False)
def git_merge_base(ctx: ToolContext, args: GitMergeBase) -> ToolResult:
    """Return the newest common ancestor of two commits."""
    return _said(_git(lambda: ctx.git.merge_base(args.one, args.other)), "They have no common ancestor.")


class GitAdd(Arguments):
    paths: list[str] = Field(min_length=1, max_length=200, description="Files or folders to stage.")


@tool("git.write", writes=True)
def git_add(ctx: ToolContext, args: GitAdd) -> ToolResult:
    """Stage files. You never need this: all changes in the workspace are used, staged or not."""
    paths = [normalise(path) for path in args.paths]
    return _said(_git(lambda: ctx.git.add(paths)), "Nothing differs from the last commit.")


class GitCommit(Arguments):
    message: str = Field(min_length=1, max_length=5000, description="The message of the commit.")


@tool("git.write", writes=True)
def git_commit(ctx: ToolContext, args: GitCommit) -> ToolResult:
    """Commit all changes as a point to return to. At the end all your commits are joined into one."""
    return _said(_git(lambda: ctx.git.commit(args.message)), "")


class GitRestore(Arguments):
    path: str = Field(description="File or folder to restore, relative to the workspace; `.` for everything.")
    base: bool = Field(
        default=False, description="Restore the state at the start of your work instead of the last commit."
    )


@tool("git.write", writes=True)
def git_restore(ctx: ToolContext, args: GitRestore) -> ToolResult:
    """Undo all changes to a file or folder since the last commit. New files are deleted."""
    path = normalise(args.path)
    changed = [each for each in _git(lambda: ctx.git.changed(path, args.base)) if each]
    if not changed:
        return ToolResult(ok=True, text="There is nothing to undo.")
    for each in changed:
        refuse_protected(ctx, each)
    _git(lambda: ctx.git.restore(changed, args.base))
    return ToolResult(ok=True, text=f"Restored: {', '.join(changed[:50])}.", files_changed=tuple(changed))


class GitBranch(Arguments):
    name: str | None = Field(
        default=None, description="Name of a new branch at the last commit; leave out to list the branches."
    )


@tool("git.write", writes=True)
def git_branch(ctx: ToolContext, args: GitBranch) -> ToolResult:
    """List your branches, or create one. Branches are deleted when your work ends."""
    name = args.name
    if name is not None:
        _git(lambda: ctx.git.branch(name))
    return _said(_git(ctx.git.branches), "There is no branch.")


class GitCheckout(Arguments):
    branch: str = Field(description="One of your branches, or `start` for the start of your work.")


@tool("git.write", writes=True)
def git_checkout(ctx: ToolContext, args: GitCheckout) -> ToolResult:
    """Switch the workspace to another of your branches. Commit or stash all changes first."""
    _git(lambda: ctx.git.checkout(args.branch))
    return ToolResult(ok=True, text=f"The workspace is now at `{args.branch}`.")


class GitStash(Arguments):
    back: bool = Field(default=False, description="Whether to restore the stashed changes.")


@tool("git.write", writes=True)
def git_stash(ctx: ToolContext, args: GitStash) -> ToolResult:
    """Stash all changes since the last commit, or restore the stashed changes."""
    if args.back:
        return _said(_git(ctx.git.unstash), "Nothing was restored.")
    return ToolResult(ok=True, text=f"Stashed:\n{_git(ctx.git.stash)}")


def _git(call: Callable[[], T]) -> T:
    try:
        return call()
    except GitRefused as error:
        raise Refused(str(error)) from None


def _path(path: str | None) -> str | None:
    return None if path is None else normalise(path)


def _said(text: str, nothing: str) -> ToolResult:
    return ToolResult(ok=True, text=text.rstrip() or nothing)
