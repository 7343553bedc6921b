"""Unified diffs: reading them as models write them, and applying them to the text of files.

The format is that of POSIX diff -u, https://pubs.opengroup.org/onlinepubs/9799919799/utilities/diff.html.
Counts in hunk headers are believed only when they fit: models get them wrong more often than the lines
themselves.
"""

import re
from dataclasses import dataclass, field

from runners.policy.refused import Refused
from runners.tools.files.replace import closest

_HUNK = re.compile(r"@@ -(?P<old>\d+)(?:,(?P<olds>\d+))? \+(?P<new>\d+)(?:,(?P<news>\d+))? @@")
_NOTHING = "/dev/null"
_NO_NEWLINE = "\\"


@dataclass
class Hunk:
    """A passage: `old` and `new` are lines without their ends; `line` is where `old` should begin, from 1.

    `old_ends` and `new_ends` are false where the patch says that the passage's last line has no line end.
    """

    line: int
    old: list[str] = field(default_factory=list)
    new: list[str] = field(default_factory=list)
    old_ends: bool = True
    new_ends: bool = True
    last: str = ""

    def add(self, line: str) -> bool:
        """Take in one line of the patch; False if it cannot stand in a hunk."""
        kind, text = line[:1] or " ", line[1:]
        if kind == _NO_NEWLINE:
            self.old_ends = self.old_ends and self.last not in (" ", "-")
            self.new_ends = self.new_ends and self.last not in (" ", "+")
            return True
        self.old += [text] if kind in " -" else []
        self.new += [text] if kind in " +" else []
        self.last = kind
        return kind in " -+"


@dataclass
class FilePatch:
    """What happens to one file: `old` is None for a new one, `new` for one that is deleted."""

    old: str | None
    new: str | None
    hunks: list[Hunk] = field(default_factory=list)

    @property
    def path(self) -> str:
        return self.new or self.old or ""


def parse_patch(text: str) -> list[FilePatch]:
    """Return the files of a unified diff. Raises `Refused` that says which line is wrong."""
    lines = text.replace("\r\n", "\n").split("\n")
    patches: list[FilePatch] = []
    at = 0
    while at < len(lines):
        line = lines[at]
        if line.startswith(("rename from ", "copy from ", "GIT binary patch")):
            raise Refused(
                f"Line {at + 1} of the patch: {line[:60]!r} is not supported. Use move_path or shell."
            )
        if _is_header(lines, at):
            patches.append(FilePatch(_named(line), _named(lines[at + 1])))
            at += 2
        elif (found := _HUNK.match(line)) is not None:
            if not patches:
                raise Refused(
                    f"Line {at + 1} of the patch: a hunk without `--- path` and `+++ path` before it."
                )
            hunk, at = _hunk(found, lines, at + 1)
            patches[-1].hunks.append(hunk)
        elif line.startswith("@@"):
            raise Refused(
                f"Line {at + 1} of the patch: {line[:60]!r} is not a hunk header like `@@ -3,4 +3,5 @@`."
            )
        else:
            at += 1
    if not patches or not any(patch.hunks for patch in patches):
        raise Refused(
            "This is not a unified diff: it needs `--- path`, `+++ path` and `@@ -3,4 +3,5 @@` lines."
        )
    for patch in patches:
        if patch.old is None and patch.new is None:
            raise Refused("A file of the patch is /dev/null on both sides.")
        if patch.old is not None and patch.new is not None and patch.old != patch.new:
            raise Refused(f"The patch renames `{patch.old}` to `{patch.new}`. Use move_path for that.")
    return patches


def _is_header(lines: list[str], at: int) -> bool:
    return lines[at].startswith("--- ") and at + 1 < len(lines) and lines[at + 1].startswith("+++ ")


def _named(line: str) -> str | None:
    name = line[4:].split("\t")[0].strip()
    if name == _NOTHING:
        return None
    return name[2:] if name[:2] in ("a/", "b/") else name


def _hunk(header: re.Match[str], lines: list[str], start: int) -> tuple[Hunk, int]:
    """Return the hunk whose lines begin at `start`, and the line after it."""
    olds, news = (int(header[name] or 1) if header[name] != "0" else 0 for name in ("olds", "news"))
    counted = _take(header, lines, start, olds, news)
    if counted is not None and _ends_at(lines, counted[1]):
        return counted
    return _take_all(header, lines, start)


def _take(
    header: re.Match[str], lines: list[str], start: int, olds: int, news: int
) -> tuple[Hunk, int] | None:
    """Return as many lines as the header says; None if they are not there."""
    hunk, at = Hunk(int(header["old"])), start
    while len(hunk.old) < olds or len(hunk.new) < news:
        if at >= len(lines) or not hunk.add(lines[at]):
            return None
        at += 1
    if at < len(lines) and lines[at].startswith(_NO_NEWLINE):
        hunk.add(lines[at])
        at += 1
    return (hunk, at) if (len(hunk.old), len(hunk.new)) == (olds, news) else None


def _take_all(header: re.Match[str], lines: list[str], start: int) -> tuple[Hunk, int]:
    """Return the lines up to the next header, whatever the counts say; blank ones at the end stand for
    nothing.
    """
    hunk, at = Hunk(int(header["old"])), start
    end = start
    while end < len(lines) and not _starts_something(lines, end):
        end += 1
    last = end
    while last > start and not lines[last - 1]:
        last -= 1
    while at < last:
        if not hunk.add(lines[at]):
            raise Refused(
                f"Line {at + 1} of the patch: {lines[at][:60]!r} must begin with a space, `+` or `-` "
                "inside a hunk."
            )
        at += 1
    return hunk, end


def _starts_something(lines: list[str], at: int) -> bool:
    return lines[at].startswith(("@@ ", "diff --git ")) or _is_header(lines, at)


def _ends_at(lines: list[str], at: int) -> bool:
    """Return whether a hunk may end before line `at`: what follows is no line of a hunk."""
    return at >= len(lines) or not lines[at] or _starts_something(lines, at) or lines[at][0] not in " +-\\"


def apply_hunks(text: str, hunks: list[Hunk], path: str) -> str:
    """Return `text` (line ends LF) with all hunks applied.

    Raises `Refused` that names the hunk and shows the closest place.
    """
    lines = text.split("\n")
    ends = lines[-1] == ""
    if ends:
        lines.pop()
    shift = 0
    for number, hunk in enumerate(hunks, 1):
        at = _place(lines, hunk, shift, ends, f"Hunk {number} of `{path}`")
        if at + len(hunk.old) == len(lines) and not (hunk.old_ends and hunk.new_ends):
            ends = hunk.new_ends
        lines[at : at + len(hunk.old)] = hunk.new
        shift = at + len(hunk.new) - len(hunk.old) - (hunk.line - 1 if hunk.old else hunk.line)
    return "\n".join(lines) + ("\n" if ends and lines else "")


def _place(lines: list[str], hunk: Hunk, shift: int, ends: bool, who: str) -> int:
    """Return the index of the line where the hunk's old lines stand."""
    size = len(hunk.old)
    stated = hunk.line + shift - (1 if size else 0)
    if not size:
        if not 0 <= stated <= len(lines):
            raise Refused(
                f"{who} adds lines after line {hunk.line}, but there are {len(lines)}. Give some context."
            )
        return stated
    if not hunk.old_ends and ends:
        raise Refused(f"{who} says that the file has no line end at its end, but it has one.")
    if stated >= 0 and lines[stated : stated + size] == hunk.old:
        return stated
    for same in (lambda line: line, str.rstrip):
        wanted, given = [same(line) for line in hunk.old], [same(line) for line in lines]
        places = [at for at in range(len(lines) - size + 1) if given[at : at + size] == wanted]
        if len(places) == 1:
            return places[0]
        if places:
            named = ", ".join(str(at + 1) for at in places[:10])
            raise Refused(
                f"{who} fits at several places (lines {named}). Give the right line number or more context."
            )
    raise Refused(f"{who} does not fit. {closest(chr(10).join(lines), chr(10).join(hunk.old))}")
