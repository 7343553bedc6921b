"""Follow the symbolic links of a commit through the commit's own tree."""

from pathlib import Path, PurePosixPath
from typing import NamedTuple

from runners.git.command import git, read_blob, tree_entries

LINK, SUBMODULE = "120000", "160000"
_MOST_STEPS = 40


def leaving_links(git_dir: Path, commit: str) -> set[str]:
    """Return the paths of the links in `commit` that lead out of its tree, into `.git`, or in a circle."""
    links = {
        entry.path: (read_blob(git_dir, commit, entry.path) or b"").decode(errors="surrogateescape")
        for entry in tree_entries(git_dir, commit)
        if entry.mode == LINK
    }
    return {path for path in links if _leaves(path, links)}


def _leaves(path: str, links: dict[str, str]) -> bool:
    """Return whether `path` leads out of the tree.

    It is followed part by part, as the kernel does, with the links of the tree.
    """
    here: list[str] = []
    left = list(reversed(PurePosixPath(path).parts))
    steps = 0
    while left:
        part = left.pop()
        if part == "..":
            if not here:
                return True
            here.pop()
            continue
        here.append(part)
        if part.lower() == ".git":
            return True
        target = links.get("/".join(here))
        if target is None:
            continue
        steps += 1
        if steps > _MOST_STEPS or target.startswith("/"):
            return True
        here.pop()
        left += [each for each in reversed(target.split("/")) if each not in ("", ".")]
    return False


class Change(NamedTuple):
    """One changed file: git's status letter (A, D, M, T), its path, its modes before and after.

    A mode of ``000000`` means that the file is not there.
    """

    status: str
    path: str
    old_mode: str
    new_mode: str


def changes_between(git_dir: Path, base: str, head: str) -> list[Change]:
    """Return every file that differs between two commits; a rename counts as a deletion and an addition."""
    out = git(
        "diff",
        "--raw",
        "--ignore-submodules=none",
        "--no-renames",
        "--no-abbrev",
        "-z",
        base,
        head,
        git_dir=git_dir,
    )
    return changes_in(out)


def changes_in(raw: str) -> list[Change]:
    """Read the output of `git diff --raw -z`, without renames (git-diff(1), "Raw output format")."""
    parts = raw.split("\0")
    found = []
    for meta, path in zip(parts[0::2], parts[1::2], strict=False):
        old, new, _, _, status = meta.removeprefix(":").split()
        found.append(Change(status[:1], path, old, new))
    return found
