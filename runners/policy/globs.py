"""Match paths with glob patterns."""

import re
import unicodedata
from collections.abc import Iterable
from fnmatch import fnmatchcase

_LAX = re.compile(r"[. ](?:/|$)|:")
_WILD = re.compile(r"[*?\[]")


def is_protected(path: str, globs: Iterable[str]) -> bool:
    """Return whether `path` (relative, with ``/``) matches one of `globs`.

    A glob that ends in ``/`` matches everything below that folder. Case is ignored, because on some file
    systems `.GitHub` and `.github` are the same folder.
    """
    lower = _as_file_systems_read(path)
    return any(matches(lower, (glob + "**" if glob.endswith("/") else glob).lower()) for glob in globs)


def _as_file_systems_read(path: str) -> str:
    """Return `path` in the form to which NTFS and HFS+ reduce it.

    NTFS drops the dots and spaces at the end of a name and treats the text after a colon as the name of a
    stream of the file. HFS+ ignores some invisible characters. Git checks `.git` in the same way
    (`core.protectNTFS` and `core.protectHFS` of git-config(1)).
    """
    if path.isascii() and not _LAX.search(path):
        return path.lower()
    parts = [part.partition(":")[0] if part[:1] != ":" else part for part in path.split("/")]
    shown = ("".join(each for each in part if unicodedata.category(each) != "Cf") for part in parts)
    return "/".join(part.rstrip(". ") or part for part in shown).casefold()


def matches(path: str, glob: str) -> bool:
    """Return whether the whole of `path` matches `glob`, part by part.

    ``*``, ``?`` and ``[…]`` match within a part, also a leading dot. ``**`` matches any number of parts, at
    the end one or more. The time is linear in the number of parts for every pattern.
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
    """Add the positions that are reached when a ``**`` matches no part."""
    for at in sorted(reached):
        while at < len(wanted) and wanted[at] == "**":
            at += 1
            reached.add(at)
    return reached
