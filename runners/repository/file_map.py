"""The list of a repository's files that a model is shown: near what the issue is about first."""

from collections import Counter
from collections.abc import Sequence
from pathlib import PurePosixPath

_MAX_CHARS = 6000
_SHARE_NEAR = 0.5


def file_map(files: Sequence[str], near: Sequence[str]) -> tuple[str, ...]:
    """The paths of `files`, as lines of at most 6,000 characters together.

    Where they do not fit, those in the folders of `near` and those at the top come first; of the other
    folders the number of their files is told.
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
    """The first of the lines, in at most `most` characters, each once."""
    kept: list[str] = []
    used = 0
    for line in dict.fromkeys(lines):
        used += len(line) + 1
        if used > most:
            break
        kept.append(line)
    return kept


def _folder(path: str, depth: int) -> str:
    """The first `depth` folders of a path; the top for a file that lies there."""
    return "/".join(PurePosixPath(path).parts[:-1][:depth]) or "."
