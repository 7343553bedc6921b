"""Tools that move, delete and describe files and folders."""

import stat
from datetime import UTC, datetime

from pydantic import Field

from runners.tools.base import Arguments, Refused, ToolContext, ToolResult, tool
from runners.tools.files.paths import make_folder_at, move, normalise, read_bytes, remove, status_of
from runners.tools.files.read_write import refuse_deleted, refuse_protected
from runners.tools.files.text import MAX_BYTES, decode

_MAX_NAMED = 20


class MovePath(Arguments):
    source: str = Field(description="File or folder to move, relative to the workspace.")
    target: str = Field(description="New path; nothing may exist there. Missing folders are created.")


@tool("files.write", writes=True)
def move_path(ctx: ToolContext, args: MovePath) -> ToolResult:
    """Move or rename a file or a folder with its content."""
    source, target = normalise(args.source), normalise(args.target)
    changed = move(ctx.root, source, target, lambda path: refuse_protected(ctx, path))
    return ToolResult(ok=True, text=f"Moved `{source}` to `{target}`.", files_changed=tuple(changed))


class DeletePath(Arguments):
    path: str = Field(description="File, link or folder to delete, relative to the workspace.")
    recursive: bool = Field(default=False, description="Whether to delete a folder that is not empty.")


@tool("files.write", writes=True)
def delete_path(ctx: ToolContext, args: DeletePath) -> ToolResult:
    """Delete a file, a folder, or a symbolic link without its target."""
    path = normalise(args.path)
    gone = remove(ctx.root, path, lambda each: refuse_deleted(ctx, each), recursive=args.recursive)
    named = ", ".join(gone[:_MAX_NAMED]) + (" …" if len(gone) > _MAX_NAMED else "")
    text = f"Deleted `{path}`." if gone == [path] else f"Deleted `{path}` with {len(gone)} files: {named}"
    return ToolResult(ok=True, text=text, files_changed=tuple(gone))


class MakeFolder(Arguments):
    path: str = Field(description="Folder to create, relative to the workspace. Missing parents are created.")


@tool("files.write", writes=True)
def make_folder(ctx: ToolContext, args: MakeFolder) -> ToolResult:
    """Create a folder. Git does not keep empty folders: put a file into it."""
    path = normalise(args.path)
    make_folder_at(ctx.root, path)
    return ToolResult(ok=True, text=f"The folder `{path}` exists.")


class FileInfo(Arguments):
    path: str = Field(description="File, link or folder, relative to the workspace.")


@tool("files.read", writes=False)
def file_info(ctx: ToolContext, args: FileInfo) -> ToolResult:
    """Show the type, size, permissions and time of the last change of a path, and the encoding and number of
    lines of a text file.
    """
    path = normalise(args.path)
    found, link = status_of(ctx.root, path)
    kind = _kind(found.st_mode)
    when = datetime.fromtimestamp(found.st_mtime, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    lines = [f"`{path}`: {kind}", f"permissions {stat.filemode(found.st_mode)}", f"changed {when}"]
    if link is not None:
        lines.insert(1, f"points to {link}")
    data = {"path": path, "kind": kind, "size": found.st_size, "mode": stat.S_IMODE(found.st_mode)}
    if kind == "file":
        lines.insert(1, f"{found.st_size:,} bytes")
        try:
            text = decode(path, read_bytes(ctx.root, path, MAX_BYTES + 1))
            count = text.text.count("\n") + (not text.text.endswith("\n") and text.text != "")
            lines.append("; ".join([f"{count:,} lines", *text.notes]))
            data |= {"lines": count, "encoding": text.encoding}
        except Refused as refused:
            lines.append(str(refused))
    return ToolResult(ok=True, text="\n".join(lines), data=data)


def _kind(mode: int) -> str:
    if stat.S_ISREG(mode):
        return "file"
    if stat.S_ISDIR(mode):
        return "folder"
    return "link" if stat.S_ISLNK(mode) else "special file"
