"""Tools that read and change one file."""

from pydantic import Field

from runners.tools.base import Arguments, Denied, Refused, ToolContext, ToolResult, tool
from runners.tools.files.paths import Missing, normalise, read_bytes, write_bytes
from runners.tools.files.replace import numbered, replace_once
from runners.tools.files.syntax import problem
from runners.tools.files.text import MAX_BYTES, FileText, decode, encode

_MAX_LINE = 2_000
# Below what the toolbox would cut from the middle: a page of a file is cut at its end.
_MAX_PAGE = 15_000


class ReadFile(Arguments):
    path: str = Field(description="Path of the file, relative to the workspace.")
    start_line: int = Field(default=1, ge=1, description="First line to read, counted from 1.")
    end_line: int | None = Field(
        default=None, ge=1, description="Last line to read; leave out to read to the end."
    )


@tool("files.read", writes=False)
def read_file(ctx: ToolContext, args: ReadFile) -> ToolResult:
    """Read a text file. Each line begins with its number and a tab, which are not part of the file. Returns
    at most 15,000 characters; go on with start_line.
    """
    path = normalise(args.path)
    found = read_text(ctx, path)
    if not found.text:
        return ToolResult(ok=True, text=f"`{path}` is empty.", data={"path": path, "lines": 0})
    lines = found.text.removesuffix("\n").split("\n")
    if args.start_line > len(lines):
        raise Refused(f"`{path}` has {len(lines)} lines, so there is no line {args.start_line}.")
    page = _page(lines[args.start_line - 1 : args.end_line])
    if not page:
        raise Refused("`end_line` is before `start_line`.")
    last = args.start_line + len(page) - 1
    notes = [f"`{path}`, lines {args.start_line} to {last} of {len(lines)}", *found.notes]
    shown = f"{'; '.join(notes)}:\n{numbered(page, args.start_line)}"
    if last < min(args.end_line or len(lines), len(lines)):
        shown += f"\n[… more lines follow: go on with start_line={last + 1} …]"
    return ToolResult(ok=True, text=shown, data={"path": path, "lines": len(lines)})


def _page(lines: list[str]) -> list[str]:
    """Return as many of the lines as fit in one answer, at least one; very long ones shortened."""
    page: list[str] = []
    size = 0
    for line in lines:
        line = line.removesuffix("\r")
        if len(line) > _MAX_LINE:
            line = f"{line[:_MAX_LINE]}[… {len(line) - _MAX_LINE:,} characters more]"
        size += len(line) + 7
        if page and size > _MAX_PAGE:
            break
        page.append(line)
    return page


class WriteFile(Arguments):
    path: str = Field(description="Path of the file, relative to the workspace. Missing folders are created.")
    content: str = Field(description="The complete new content of the file.")


@tool("files.write", writes=True)
def write_file(ctx: ToolContext, args: WriteFile) -> ToolResult:
    """Create a file, or replace its complete content. To change part of a file, use edit_file."""
    path = normalise(args.path)
    new = write(ctx, path, encode(args.content))
    lines = args.content.count("\n") + (not args.content.endswith("\n") and args.content != "")
    return changed(path, args.content, f"{'Created' if new else 'Replaced'} `{path}` ({lines} lines).")


class EditFile(Arguments):
    path: str = Field(description="Path of the file, relative to the workspace.")
    old: str = Field(
        description="The text to replace, exactly as in the file, with indentation. It must occur once."
    )
    new: str = Field(description="The new text; empty to delete the old one.")


@tool("files.write", writes=True)
def edit_file(ctx: ToolContext, args: EditFile) -> ToolResult:
    """Replace one piece of text in a file. `old` must occur exactly once: include lines around it until it
    does.
    """
    path = normalise(args.path)
    found = read_text(ctx, path)
    done = replace_once(found.text, args.old, args.new)
    write(ctx, path, found.encode(done.text))
    said = f"Replaced the passage at line {done.line} of `{path}`."
    if done.loosely:
        said += " `old` matched ignoring whitespace, and `new` was indented like the file."
    return changed(path, done.text, said)


class AppendFile(Arguments):
    path: str = Field(
        description="Path of the file, relative to the workspace; created if it does not exist."
    )
    content: str = Field(min_length=1, description="The text to add at the end.")


@tool("files.write", writes=True)
def append_file(ctx: ToolContext, args: AppendFile) -> ToolResult:
    """Add text at the end of a file. The text begins on a new line."""
    path = normalise(args.path)
    try:
        found = read_text(ctx, path)
    except Missing:
        found = FileText("")
    end = "\r\n" if found.crlf else "\n"
    added = args.content.replace("\r\n", "\n").replace("\n", end)
    text = found.text + (end if found.text and not found.text.endswith("\n") else "") + added
    write(ctx, path, found.encode(text) if found.text else encode(text))
    return changed(path, text, f"Added {args.content.rstrip().count(chr(10)) + 1} lines to `{path}`.")


def read_text(ctx: ToolContext, path: str) -> FileText:
    """Return the text of the file `path` (normalised). Raises `Refused`."""
    return decode(path, read_bytes(ctx.root, path, MAX_BYTES + 1))


def write(ctx: ToolContext, path: str, data: bytes) -> bool:
    """Replace or create the file `path` (normalised); True if it is new. Raises `Refused`."""
    return write_bytes(ctx.root, path, data, lambda real: refuse_protected(ctx, real))


def refuse_protected(ctx: ToolContext, path: str) -> None:
    """Raise `Denied` if the policy does not let the file `path` (where it really lies) be written."""
    refusal = ctx.policy.write_refusal(path)
    if refusal is not None:
        raise Denied(refusal)


def refuse_deleted(ctx: ToolContext, path: str) -> None:
    """Raise `Denied` if the policy does not let the file `path` be deleted.

    A protected file that was not there when the work began may always go.
    """
    if ctx.known(path) or not ctx.policy.keeps(path):
        refuse_protected(ctx, path)


def changed(path: str, text: str, said: str) -> ToolResult:
    """Return the answer to a change, with what is wrong with the syntax of the file as it is now."""
    found = problem(path, text)
    if found is not None:
        said += f"\nBut its syntax is now broken: {found}. Fix this first."
    data = {"path": path} if found is None else {"path": path, "syntax": found}
    return ToolResult(ok=True, text=said, data=data, files_changed=(path,))
