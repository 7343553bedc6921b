"""Tools that read and change one file."""

from pydantic import Field

from runners.tools.base import Arguments, Denied, Refused, ToolContext, ToolResult, tool
from runners.tools.paths import normalise, read_bytes, write_bytes
from runners.tools.replace import numbered, replace_once
from runners.tools.syntax import problem

_MAX_BYTES = 5_000_000
_MAX_LINE = 2_000
# Below what the toolbox would cut from the middle: a page of a file is cut at its end.
_MAX_PAGE = 15_000


class ReadFile(Arguments):
    path: str = Field(description="Path of the file, relative to the workspace.")
    start_line: int = Field(default=1, ge=1, description="First line to read, counted from 1.")
    end_line: int | None = Field(default=None, ge=1, description="Last line to read; leave out for the rest.")


@tool("files.read", writes=False)
def read_file(ctx: ToolContext, args: ReadFile) -> ToolResult:
    """Read a text file. Each line comes with its number and a tab, which are not part of the file."""
    path = normalise(args.path)
    data = read_bytes(ctx.root, path, _MAX_BYTES + 1)
    if len(data) > _MAX_BYTES:
        raise Refused(
            f"`{path}` is larger than {_MAX_BYTES:,} bytes. Read a part: shell with sed -n '1,200p'."
        )
    if b"\0" in data[:8192]:
        raise Refused(f"`{path}` is a binary file of {len(data):,} bytes and is not shown.")
    if not data:
        return ToolResult(ok=True, text=f"`{path}` is empty.", data={"path": path, "lines": 0})
    text = data.decode(errors="replace")
    lines = text.removesuffix("\n").split("\n")
    if args.start_line > len(lines):
        raise Refused(f"`{path}` has {len(lines)} lines, so there is no line {args.start_line}.")
    page = _page(lines[args.start_line - 1 : args.end_line])
    if not page:
        raise Refused("`end_line` is before `start_line`.")
    last = args.start_line + len(page) - 1
    notes = [f"`{path}`, lines {args.start_line} to {last} of {len(lines)}"]
    notes += ["line ends are CRLF"] if "\r\n" in text else []
    notes += ["not UTF-8: some characters are replaced"] if "\ufffd" in text else []
    shown = f"{'; '.join(notes)}:\n{numbered(page, args.start_line)}"
    if last < min(args.end_line or len(lines), len(lines)):
        shown += f"\n[… the rest is left out: go on with start_line={last + 1} …]"
    return ToolResult(ok=True, text=shown, data={"path": path, "lines": len(lines)})


def _page(lines: list[str]) -> list[str]:
    """As many of the lines as fit in one answer, at least one; very long ones shortened."""
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
    path: str = Field(description="Path of the file, relative to the workspace. Missing folders are made.")
    content: str = Field(description="The whole new content of the file.")


@tool("files.write", writes=True)
def write_file(ctx: ToolContext, args: WriteFile) -> ToolResult:
    """Create a file, or replace the whole content of one. To change a part of a file use edit_file."""
    path = normalise(args.path)
    new = _write(ctx, path, args.content)
    lines = args.content.count("\n") + (not args.content.endswith("\n") and args.content != "")
    return _changed(path, args.content, f"{'Created' if new else 'Replaced'} `{path}` ({lines} lines).")


class EditFile(Arguments):
    path: str = Field(description="Path of the file, relative to the workspace.")
    old: str = Field(
        description="The text to replace: exact, with its indentation, and only once in the file."
    )
    new: str = Field(description="The text to put in its place; empty to delete.")


@tool("files.write", writes=True)
def edit_file(ctx: ToolContext, args: EditFile) -> ToolResult:
    """Replace one passage of a file. `old` must occur exactly once: include enough lines around it."""
    path = normalise(args.path)
    data = read_bytes(ctx.root, path, _MAX_BYTES + 1)
    if len(data) > _MAX_BYTES:
        raise Refused(f"`{path}` is larger than {_MAX_BYTES:,} bytes. Change it with a shell command.")
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise Refused(f"`{path}` is not UTF-8 text. Change it with a shell command.") from None
    done = replace_once(text, args.old, args.new)
    _write(ctx, path, done.text)
    said = f"Replaced the passage at line {done.line} of `{path}`."
    if done.loosely:
        said += " White space differed from `old`, so it was overlooked and `new` indented as the file is."
    return _changed(path, done.text, said)


def _write(ctx: ToolContext, path: str, text: str) -> bool:
    try:
        data = text.encode()
    except UnicodeEncodeError:
        raise Refused("The content holds half a surrogate pair, so it cannot be stored as UTF-8.") from None
    return write_bytes(ctx.root, path, data, lambda real: _refuse_protected(ctx, real))


def _refuse_protected(ctx: ToolContext, path: str) -> None:
    refusal = ctx.policy.write_refusal(path)
    if refusal is not None:
        raise Denied(refusal)


def _changed(path: str, text: str, said: str) -> ToolResult:
    """The answer to a change, with what is wrong with the syntax of the file as it is now."""
    found = problem(path, text)
    if found is not None:
        said += f"\nBut its syntax is now broken: {found}. Fix this first."
    data = {"path": path} if found is None else {"path": path, "syntax": found}
    return ToolResult(ok=True, text=said, data=data, files_changed=(path,))
