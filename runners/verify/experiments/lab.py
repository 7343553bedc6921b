"""What experiments work with, and how they change the files of their checkouts."""

import contextlib
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from runners.sandbox.beneath import put_file, read_file
from runners.verify.claim import Claim
from runners.verify.suites.records import Tried
from runners.verify.suites.suites import Suites

# The outcomes of trials by their ids.
TrialOutcomes = dict[str, Tried]


@dataclass(frozen=True)
class Lab:
    """What experiments need.

    `checkout(commit, name)` makes a fresh worktree. `commit` is the head with its scenarios, `features` the
    folder of the repository's features.
    """

    git_dir: Path
    claim: Claim
    commit: str
    features: str
    suites: Suites
    checkout: Callable[[str, str], AbstractContextManager[Path]]


def red_of(tried: Tried | None) -> bool | None:
    """Return whether a trial was red; None if it was not run."""
    return None if tried is None else tried.red


def write(root: Path, path: str, text: str) -> None:
    """Change a file of the checkout; one that is not there, or that a link leads to, stays as it is."""
    if read_file(root, path) is not None:
        put_file(root, path, text.encode())


def restore(root: Path, path: str, content: bytes | None) -> None:
    """Put a file back to `content`; None: it was not there.

    Not where the change has put a link in its way.
    """
    with contextlib.suppress(OSError):
        put_file(root, path, content)


def change_each(root: Path, paths: Sequence[str], change: Callable[[str], str]) -> None:
    """Change files of the checkout that can be read as Python."""
    for path in paths:
        source = read_file(root, path)
        if source is None:
            continue
        try:
            write(root, path, change(source.decode()))
        except (SyntaxError, UnicodeDecodeError):
            continue
