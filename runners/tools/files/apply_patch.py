"""The tool that applies a unified diff to several files at once, or to none."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

from pydantic import Field

from runners.tools.base import Arguments, Refused, ToolContext, ToolResult, tool
from runners.tools.files.diff_format import FilePatch, apply_hunks, parse_patch
from runners.tools.files.paths import Missing, normalise, read_bytes, remove
from runners.tools.files.read_write import read_text, refuse_deleted, refuse_protected, write
from runners.tools.files.syntax import problem
from runners.tools.files.text import MAX_BYTES, encode


class ApplyPatch(Arguments):
    patch: str = Field(
        description="A unified diff: `--- a/path`, `+++ b/path`, `@@ -3,4 +3,5 @@`, lines that begin with "
        "a space, `+` or `-`. Write /dev/null as the old path of a new file or the new path of a deleted one."
    )


@dataclass(frozen=True)
class _FileChange:
    """One file: its bytes before and after, None where it is not there."""

    path: str
    before: bytes | None
    after: bytes | None
    text: str = ""


@tool("files.write", writes=True)
def apply_patch(ctx: ToolContext, args: ApplyPatch) -> ToolResult:
    """Change one or more files with a unified diff. If one part does not fit, nothing is changed."""
    changes = [_planned(ctx, patch) for patch in parse_patch(args.patch)]
    paths = [change.path for change in changes]
    twice = next((path for path in paths if paths.count(path) > 1), None)
    if twice is not None:
        raise Refused(f"`{twice}` occurs twice in the patch. Put its hunks under one header.")
    for change in changes:
        (refuse_deleted if change.after is None else refuse_protected)(ctx, change.path)
    with _undone_on_failure(ctx, changes):
        for change in changes:
            _store(ctx, change.path, change.after)
    lines = [_said(change) for change in changes]
    broken = [
        f"{c.path}: {found}" for c in changes if c.after is not None and (found := problem(c.path, c.text))
    ]
    lines += [f"But the syntax is now broken: {found}. Fix this first." for found in broken]
    data = {"syntax": broken} if broken else {}
    return ToolResult(ok=True, text="\n".join(lines), data=data, files_changed=tuple(paths))


def _planned(ctx: ToolContext, patch: FilePatch) -> _FileChange:
    path = normalise(patch.path)
    try:
        before: bytes | None = read_bytes(ctx.root, path, MAX_BYTES + 1)
    except Missing:
        before = None
    if patch.old is None:
        if before:
            raise Refused(f"The patch creates `{path}`, but this file exists already.")
        text = apply_hunks("", patch.hunks, path)
        return _FileChange(path, before, encode(text), text)
    if before is None:
        raise Refused(f"There is no `{path}`. Use list_files or glob to find the right path.")
    found = read_text(ctx, path)
    plain = found.text.replace("\r\n", "\n") if found.crlf else found.text
    text = apply_hunks(plain, patch.hunks, path)
    if patch.new is None:
        if text:
            raise Refused(f"The patch deletes `{path}`, but does not remove all of its lines.")
        return _FileChange(path, before, None)
    text = text.replace("\n", "\r\n") if found.crlf else text
    return _FileChange(path, before, found.encode(text), text)


@contextlib.contextmanager
def _undone_on_failure(ctx: ToolContext, changes: list[_FileChange]) -> Iterator[None]:
    try:
        yield
    except Refused:
        for change in changes:
            with contextlib.suppress(Refused):  # what cannot be written now was not written before
                _store(ctx, change.path, change.before)
        raise


def _store(ctx: ToolContext, path: str, data: bytes | None) -> None:
    if data is not None:
        write(ctx, path, data)
    else:
        remove(ctx.root, path, lambda each: refuse_deleted(ctx, each), recursive=False)


def _said(change: _FileChange) -> str:
    what = "Deleted" if change.after is None else "Created" if change.before is None else "Changed"
    return f"{what} `{change.path}`."
