"""Make the list of a repository's files that a model is shown: those near the issue's subject come first."""

from collections import Counter
from collections.abc import Sequence
from pathlib import PurePosixPath

_MAX_CHARS = 6000
_SHARE_NEAR = 0.5


def file_map(files: Sequence[str], near: Sequence[str]) -> tuple[str, ...]:
    """Return the paths of `files`, as lines of at most 6,000 characters together.

    If there is no room for all, files in the folders of `near` and at the top come first; for each other
    folder only the number of its files is given.
    """
    if sum(len(path) + 1 for path in files) <= _MAX_CHARS:
        return tuple(files)
    folders = {str(PurePosixPath(path).parent) for path in near}
    beside = [path for path in files if str(PurePosixPath(path).parent) in folders and path not in near]
    top = [path for path in files if "/" not in path]
    shown = _within(
        [*(path for path in near if path in set(files)), *top, *beside], int(_MAX_CHARS * _SHARE_NEAR)
    )
    left = Counter(_folder(path, 2) for path in files if path not in set(shown))
    if sum(len(folder) + 20 for folder in left) > _MAX_CHARS - sum(len(path) + 1 for path in shown):
        left = Counter(_folder(path, 1) for path in files if path not in set(shown))
    counted = [f"{folder}/ ({count} more files)" for folder, count in sorted(left.items())]
    return (*shown, *_within(counted, _MAX_CHARS - sum(len(path) + 1 for path in shown)))


def _within(lines: Sequence[str], most: int) -> list[str]:
    """Return the first of the lines, each once, in at most `most` characters."""
    kept: list[str] = []
    used = 0
    for line in dict.fromkeys(lines):
        used += len(line) + 1
        if used > most:
            break
        kept.append(line)
    return kept


def _folder(path: str, depth: int) -> str:
    """Return the first `depth` folders of a path; the top for a file at the top."""
    return "/".join(PurePosixPath(path).parts[:-1][:depth]) or "."
