"""A unified diff as lines that a page can colour.

The format: https://www.gnu.org/software/diffutils/manual/html_node/Detailed-Unified.html
"""

import re
from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

LineKind = Literal["same", "added", "removed", "hunk", "head"]

_HUNK = re.compile(r"^@@ -\d+(?:,(?P<old>\d+))? \+\d+(?:,(?P<new>\d+))? @@", re.MULTILINE)
_FILE = re.compile(r"^diff --git a/(?:.*) b/(?P<path>.*)$")
_HEADS = ("diff --git ", "index ", "--- ", "+++ ", "new file ", "deleted file ", "rename ", "similarity ")


class Line(NamedTuple):
    """One line of a diff or of plain output; `text` has no line end."""

    kind: LineKind
    text: str


class FileDiff(NamedTuple):
    """The diff of one file, without its head lines; `added` and `removed` count lines."""

    path: str
    added: int
    removed: int
    lines: tuple[Line, ...]


def is_diff(text: str) -> bool:
    """Return whether `text` has a hunk of a unified diff in it."""
    return _HUNK.search(text) is not None


def diff_lines(text: str) -> list[Line]:
    """Return the lines of a diff. Text before its first hunk and behind its last one stays as it is."""
    found: list[Line] = []
    old = new = 0  # lines that are still to come in the hunk
    for line in text.split("\n"):
        hunk = _HUNK.match(line)
        if hunk is not None:
            old, new = int(hunk["old"] or 1), int(hunk["new"] or 1)
            found.append(Line("hunk", line))
        elif old <= 0 and new <= 0:
            found.append(Line("head" if line.startswith(_HEADS) else "same", line))
        elif line.startswith("+"):
            new -= 1
            found.append(Line("added", line))
        elif line.startswith("-"):
            old -= 1
            found.append(Line("removed", line))
        else:
            if not line.startswith("\\"):  # "\ No newline at end of file" is no line of either file
                old, new = old - 1, new - 1
            found.append(Line("same", line))
    return found


def plain_lines(text: str) -> list[Line]:
    """Return the lines of a text that is no diff."""
    return [Line("same", line) for line in text.split("\n")]


def replaced_lines(old: str, new: str) -> list[Line]:
    """Return a passage that was replaced, as the lines of a diff."""
    gone = [Line("removed", f"-{line}") for line in old.split("\n")] if old else []
    came = [Line("added", f"+{line}") for line in new.split("\n")] if new else []
    return gone + came


def file_diffs(text: str) -> list[FileDiff]:
    """Return the files of what ``git diff`` printed, in its order."""
    files: list[FileDiff] = []
    path = ""
    lines: list[Line] = []
    for line in diff_lines(text.rstrip("\n")):
        head = _FILE.match(line.text) if line.kind == "head" else None
        if head is not None:
            files += _file(path, lines)
            path, lines = head["path"], []
        elif path:
            lines.append(line)
    return [*files, *_file(path, lines)]


def _file(path: str, lines: Sequence[Line]) -> Iterable[FileDiff]:
    if not path:
        return []
    shown = tuple(line for line in lines if line.kind != "head")
    added = sum(line.kind == "added" for line in shown)
    return [FileDiff(path, added, sum(line.kind == "removed" for line in shown), shown)]
