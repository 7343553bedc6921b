"""Patterns of paths."""

from collections.abc import Iterable
from fnmatch import fnmatchcase


def is_protected(path: str, globs: Iterable[str]) -> bool:
    """Whether `path` (relative, with ``/``) matches one of `globs`; one that ends in ``/`` means all below.

    Case does not count: some file systems take `.GitHub` and `.github` for the same folder.
    """
    lower = path.lower()
    return any(matches(lower, (glob + "**" if glob.endswith("/") else glob).lower()) for glob in globs)


def matches(path: str, glob: str) -> bool:
    """Whether the whole of `path` matches `glob`, part by part.

    ``*``, ``?`` and ``[…]`` stay within a part, leading dots included; ``**`` stands for any number of parts
    (at the end, for one or more). It takes linear time in the number of parts, whatever the pattern.
    """
    wanted = glob.removeprefix("./").split("/")
    if wanted[-1] == "**":
        wanted.append("*")
    reached = _skip({0}, wanted)
    for part in path.split("/"):
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
