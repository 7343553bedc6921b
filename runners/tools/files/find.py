"""Tools that find files and text."""

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from pydantic import Field

from runners.policy import globs
from runners.policy.globs import matches
from runners.sandbox.bubblewrap import WORKSPACE
from runners.tools.base import Arguments, Refused, ToolContext, ToolResult, tool
from runners.tools.files import search_script
from runners.tools.files.paths import normalise, open_folder

SKIPPED = (".git", ".venv", "__pycache__", "node_modules")
_MAX_ENTRIES = 300
_MAX_VISITED = 200_000
_MAX_MATCHES = 200
_SEARCH_S = 20.0
_SCRIPT = Path(globs.__file__).read_text() + Path(search_script.__file__).read_text()


class ListFiles(Arguments):
    path: str = Field(default=".", description="Folder, relative to the workspace.")
    depth: int = Field(default=2, ge=1, le=10, description="How many levels of folders to show (1 to 10).")


@tool("files.read", writes=False)
def list_files(ctx: ToolContext, args: ListFiles) -> ToolResult:
    """List the files and folders in a folder, at most 300. Names of folders end in `/`. Without .git, .venv,
    __pycache__ and node_modules.
    """
    path = normalise(args.path)
    found = sorted(entry for entry, _ in _walk(ctx.root, path, args.depth))
    return _listing(found, f"`{path}` is empty.", "List a folder deeper down, or use glob.")


class Glob(Arguments):
    pattern: str = Field(
        description="For example `src/**/*.py`; `**` is any number of folders. `*.py` looks in all folders."
    )


@tool("files.read", writes=False)
def glob(ctx: ToolContext, args: Glob) -> ToolResult:
    """List the files whose path matches a pattern, at most 300. Without .git, .venv, __pycache__ and
    node_modules.
    """
    pattern = _anywhere(args.pattern)
    found = sorted(
        path for path, folder in _walk(ctx.root, ".", None) if not folder and matches(path, pattern)
    )
    return _listing(found, f"No file matches `{args.pattern}`.", "Use a narrower pattern.")


def _anywhere(pattern: str) -> str:
    """Return `pattern` relative to the workspace; one without ``/`` fits at any depth."""
    pattern = pattern.removeprefix(WORKSPACE + "/").removeprefix("./")
    if not pattern or pattern.startswith("/") or len(pattern) > 1000:
        raise Refused("Give a pattern relative to the workspace, such as `**/*.py`.")
    return pattern if "/" in pattern else f"**/{pattern}"


def _walk(root: Path, path: str, depth: int | None) -> Iterator[tuple[str, bool]]:
    """Yield (path relative to the workspace, is it a folder) of what lies below `path`; links are not
    followed.
    """
    prefix = "" if path == "." else f"{path}/"
    visited = 0
    with open_folder(root, path) as (fd, _):
        for here, folders, files, _ in os.fwalk(".", dir_fd=fd, follow_symlinks=False):
            level = here.count("/") + 1
            folders[:] = [name for name in folders if name not in SKIPPED]
            above = prefix + here.removeprefix(".").removeprefix("/") + ("/" if here != "." else "")
            for name in folders:
                yield f"{above}{name}/", True
            for name in files:
                yield f"{above}{name}", False
            visited += len(files) + len(folders)
            if visited > _MAX_VISITED:
                raise Refused("There are too many files. Give a folder further down.")
            if level == depth:
                folders.clear()


def _listing(found: list[str], none: str, narrower: str) -> ToolResult:
    if not found:
        return ToolResult(ok=True, text=none, data={"count": 0})
    shown = [*found[:_MAX_ENTRIES]]
    if len(found) > _MAX_ENTRIES:
        shown.append(f"[… {len(found) - _MAX_ENTRIES:,} more. {narrower} …]")
    return ToolResult(ok=True, text="\n".join(shown), data={"count": len(found)})


class Search(Arguments):
    pattern: str = Field(
        min_length=1, max_length=1000, description="A Python regular expression, matched line by line."
    )
    path: str = Field(default=".", description="File or folder to search, relative to the workspace.")
    glob: str | None = Field(
        default=None, description="Search only files that match, for example `*.py` or `src/**/*.py`."
    )
    ignore_case: bool = Field(default=False, description="Whether to ignore upper and lower case.")


@tool("files.read", writes=False)
def search(ctx: ToolContext, args: Search) -> ToolResult:
    """Search the text of files for a regular expression. Returns at most 200 lines as `path:line:text`.

    It runs in the sandbox with a time limit, because some patterns never end.
    """
    request = {
        "pattern": args.pattern,
        "path": normalise(args.path),
        "glob": args.glob and _anywhere(args.glob),
        "ignore_case": args.ignore_case,
        "skipped": SKIPPED,
        "limit": _MAX_MATCHES,
    }
    limits = ctx.sandbox.limits.model_copy(update={"wall_s": min(_SEARCH_S, ctx.sandbox.limits.wall_s)})
    command = [sys.executable, "-I", "-c", _SCRIPT, json.dumps(request)]
    done = ctx.sandbox.run(command, limits=limits, cancel=ctx.cancel)
    if done.timed_out or done.cancelled:
        raise Refused(
            "The search was stopped because it took too long. Use a simpler pattern or a narrower path."
        )
    if done.exit_code != 0:
        raise Refused(f"The search failed: {done.output.strip()[-500:]}.")
    found = done.output.splitlines()
    if not found:
        return ToolResult(ok=True, text=f"Nothing matches `{args.pattern}`.", data={"count": 0})
    if len(found) > _MAX_MATCHES:
        found[_MAX_MATCHES:] = ["[… there is more. Use a narrower pattern, path or glob …]"]
    return ToolResult(ok=True, text="\n".join(found), data={"count": min(len(found), _MAX_MATCHES)})
