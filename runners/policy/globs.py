"""Patterns of paths."""

import re
import unicodedata
from collections.abc import Iterable
from fnmatch import fnmatchcase

_LAX = re.compile(r"[. ](?:/|$)|:")
_WILD = re.compile(r"[*?\[]")


def is_protected(path: str, globs: Iterable[str]) -> bool:
    """Whether `path` (relative, with ``/``) matches one of `globs`; one that ends in ``/`` means all below.

    Case does not count: some file systems take `.GitHub` and `.github` for the same folder.
    """
    lower = _as_file_systems_read(path)
    return any(matches(lower, (glob + "**" if glob.endswith("/") else glob).lower()) for glob in globs)


def _as_file_systems_read(path: str) -> str:
    """`path` as file systems read it that are laxer than Linux's.

    NTFS drops the dots and spaces at the end of a name and takes what follows a colon for a stream of the
    file; HFS+ ignores some characters that cannot be seen. Git checks `.git` in the same way
    (`core.protectNTFS` and `core.protectHFS` of git-config(1)).
    """
    if path.isascii() and not _LAX.search(path):
        return path.lower()
    parts = [part.partition(":")[0] if part[:1] != ":" else part for part in path.split("/")]
    shown = ("".join(each for each in part if unicodedata.category(each) != "Cf") for part in parts)
    return "/".join(part.rstrip(". ") or part for part in shown).casefold()


def matches(path: str, glob: str) -> bool:
    """Whether the whole of `path` matches `glob`, part by part.

    ``*``, ``?`` and ``[…]`` stay within a part, leading dots included; ``**`` stands for any number of parts
    (at the end, for one or more). It takes linear time in the number of parts, whatever the pattern.
    """
    wanted = glob.removeprefix("./").split("/")
    parts = path.split("/")
    if wanted[-1] == "**":
        wanted.append("*")
    elif not fnmatchcase(parts[-1], wanted[-1]):
        return False
    if wanted[0] != parts[0] and not _WILD.search(wanted[0]):
        return False
    reached = _skip({0}, wanted)
    for part in parts:
        after: set[int] = set()
        for at in reached:
            if at < len(wanted) and wanted[at] == "**":
                after.add(at)
            elif at < len(wanted) and fnmatchcase(part, wanted[at]):
                after.add(at + 1)
        reached = _skip(after, wanted)
    return len(wanted) in reached


def _skip(reached: set[int], wanted: list[str]) -> set[int]:
    """Add what is reached when a ``**`` stands for nothing."""
    for at in sorted(reached):
        while at < len(wanted) and wanted[at] == "**":
            at += 1
            reached.add(at)
    return reached
