"""The files of one commit: their paths, their texts, and the lines that match a pattern."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from runners.git.command import GitFailed, git, list_files, read_blob

_SECONDS = 30.0
_NOT_FOUND = 1
_MAX_LINE = 140


class Hit(NamedTuple):
    """A line of a file, without the spaces around it; `line` counts from 1."""

    path: str
    line: int
    text: str

    def __str__(self) -> str:
        shown = self.text if len(self.text) <= _MAX_LINE else f"{self.text[:_MAX_LINE]}…"
        return f"{self.path}:{self.line}: {shown}"


class Snapshot:
    """The commit `commit` of the repository in `git_dir`. Nothing in it is run."""

    def __init__(self, git_dir: Path, commit: str) -> None:
        self._git_dir = git_dir
        self._commit = commit

    @cached_property
    def files(self) -> tuple[str, ...]:
        """Return the paths of all files, relative to the repository."""
        return tuple(list_files(self._git_dir, self._commit))

    def text(self, path: str) -> str:
        """Return the text of a file; empty if there is none."""
        return (read_blob(self._git_dir, self._commit, path) or b"").decode(errors="replace")

    def first(self, names: Sequence[str]) -> str:
        """Return the first of `names` that is a file, in any case; empty if none is."""
        by_name = {path.lower(): path for path in reversed(self.files)}
        return next((by_name[name.lower()] for name in names if name.lower() in by_name), "")

    def grep(self, pattern: str, *paths: str) -> list[Hit]:
        """Return the lines that match `pattern` (a POSIX extended regular expression), by path.

        `paths` are git's pathspecs. Binary files are left out. Empty if it takes too long.
        """
        command = ("grep", "-n", "-I", "-z", "--full-name", "-E", "-e", pattern, self._commit, "--", *paths)
        try:
            out = git(*command, git_dir=self._git_dir, timeout=_SECONDS)
        except GitFailed as error:
            if error.status in (_NOT_FOUND, -9):
                return []
            raise
        found = []
        for line in out.split("\n"):
            name, _, rest = line.partition("\0")
            number, _, text = rest.partition("\0")
            if number.isdigit():
                shown = text.encode(errors="replace").decode().strip()
                found.append(Hit(name.partition(":")[2], int(number), shown))
        return found
