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
    """Show which files differ from the last commit."""
    return _said(_git(ctx.git.status), "Nothing differs from the last commit.")


class GitDiff(Arguments):
    path: str | None = Field(default=None, description="Only this file or folder, relative to the workspace.")
    base: bool = Field(default=False, description="Compare with where the work began, not the last commit.")


@tool("git.read", writes=False)
def git_diff(ctx: ToolContext, args: GitDiff) -> ToolResult:
    """Show what was changed since the last commit, as a unified diff."""
    return _said(_git(lambda: ctx.git.diff(_path(args.path), args.base)), "There is no difference.")


class DiffFiles(Arguments):
    path: str = Field(description="A file, relative to the workspace.")
    other: str | None = Field(
        default=None,
        description="The file to compare with; leave out for what `path` was when the work began.",
    )


@tool("files.read", writes=False)
def diff_files(ctx: ToolContext, args: DiffFiles) -> ToolResult:
    """Compare two files, or a file with what it was when the work began, as a unified diff."""
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
    limit: int = Field(default=10, ge=1, le=100, description="How many commits to show, newest first.")
    path: str | None = Field(default=None, description="Only commits that touched this file or folder.")


@tool("git.read", writes=False)
def git_log(ctx: ToolContext, args: GitLog) -> ToolResult:
    """Show the newest commits."""
    return _said(_git(lambda: ctx.git.log(args.limit, _path(args.path))), "There is no commit.")


class GitShow(Arguments):
    revision: str = Field(
        default="HEAD", description="A commit: HEAD, base, a branch, an id; `~1` is its parent."
    )
    path: str | None = Field(
        default=None, description="Show this file as it was then, not the commit's diff."
    )


@tool("git.read", writes=False)
def git_show(ctx: ToolContext, args: GitShow) -> ToolResult:
    """Show a commit with its diff, or a file as it was in a commit."""
    return _said(_git(lambda: ctx.git.show(args.revision, _path(args.path))), "It is empty.")


class GitBlame(Arguments):
    path: str = Field(description="The file, relative to the workspace.")
    start_line: int = Field(default=1, ge=1, description="First line, counted from 1.")
    end_line: int = Field(ge=1, description="Last line.")


@tool("git.read", writes=False)
def git_blame(ctx: ToolContext, args: GitBlame) -> ToolResult:
    """Show which commit last changed each line of a file, as it is in the last commit."""
    path = normalise(args.path)
    return _said(_git(lambda: ctx.git.blame(path, args.start_line, args.end_line)), "It is empty.")


class GitMergeBase(Arguments):
    one: str = Field(description="A commit: HEAD, base, a branch or an id.")
    other: str = Field(description="Another commit.")


@tool("git.read", writes=False)
def git_merge_base(ctx: ToolContext, args: GitMergeBase) -> ToolResult:
    """Find the newest commit that two commits have in common."""
    return _said(_git(lambda: ctx.git.merge_base(args.one, args.other)), "They have none.")


class GitAdd(Arguments):
    paths: list[str] = Field(min_length=1, max_length=200, description="Files or folders to stage.")


@tool("git.write", writes=True)
def git_add(ctx: ToolContext, args: GitAdd) -> ToolResult:
    """Stage files. This is never needed: everything in the workspace counts."""
    paths = [normalise(path) for path in args.paths]
    return _said(_git(lambda: ctx.git.add(paths)), "Nothing differs from the last commit.")


class GitCommit(Arguments):
    message: str = Field(min_length=1, max_length=5000, description="The message of the commit.")


@tool("git.write", writes=True)
def git_commit(ctx: ToolContext, args: GitCommit) -> ToolResult:
    """Commit everything, as a point to come back to. In the end all the work becomes one commit."""
    return _said(_git(lambda: ctx.git.commit(args.message)), "")


class GitRestore(Arguments):
    path: str = Field(description="File or folder to put back, relative to the workspace; `.` for all.")
    base: bool = Field(
        default=False, description="To how it was when the work began, not in the last commit."
    )


@tool("git.write", writes=True)
def git_restore(ctx: ToolContext, args: GitRestore) -> ToolResult:
    """Undo the changes of a file or folder. Files that were new are deleted."""
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
        default=None, description="A branch to make of the last commit; leave out to list."
    )


@tool("git.write", writes=True)
def git_branch(ctx: ToolContext, args: GitBranch) -> ToolResult:
    """List the branches made here, or make one. They are gone when the work is done."""
    name = args.name
    if name is not None:
        _git(lambda: ctx.git.branch(name))
    return _said(_git(ctx.git.branches), "There is no branch.")


class GitCheckout(Arguments):
    branch: str = Field(description="A branch made here, or `start` for where the work began.")


@tool("git.write", writes=True)
def git_checkout(ctx: ToolContext, args: GitCheckout) -> ToolResult:
    """Go to another branch made here. Nothing may be uncommitted."""
    _git(lambda: ctx.git.checkout(args.branch))
    return ToolResult(ok=True, text=f"The workspace is now that of `{args.branch}`.")


class GitStash(Arguments):
    back: bool = Field(default=False, description="Whether to bring back what was put aside.")


@tool("git.write", writes=True)
def git_stash(ctx: ToolContext, args: GitStash) -> ToolResult:
    """Put all changes since the last commit aside, or bring them back."""
    if args.back:
        return _said(_git(ctx.git.unstash), "Nothing came back.")
    return ToolResult(ok=True, text=f"Put aside:\n{_git(ctx.git.stash)}")


def _git(call: Callable[[], T]) -> T:
    try:
        return call()
    except GitRefused as error:
        raise Refused(str(error)) from None


def _path(path: str | None) -> str | None:
    return None if path is None else normalise(path)


def _said(text: str, nothing: str) -> ToolResult:
    return ToolResult(ok=True, text=text.rstrip() or nothing)
