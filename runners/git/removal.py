"""Removing folders that strangers filled."""

import contextlib
import os
from collections.abc import Iterator
from itertools import count
from pathlib import Path


def remove_tree(root: Path) -> None:
    """Remove `root` with everything in it, however deep it is and whatever its permissions say; none there is fine.

    Links are removed and not followed. Nothing may be changing it meanwhile. Raises `OSError` for what cannot be
    removed, for one because it belongs to somebody else.
    """
    if root.is_symlink() or not root.is_dir():
        with contextlib.suppress(FileNotFoundError):
            root.unlink()
        return
    root.chmod(0o700)
    # Folders within folders are moved up to these names, so that no path gets long and nothing recurses.
    names = (root / f".removing-{number}" for number in count())
    pending = _emptied(root, names)
    while pending:
        folder = pending.pop()
        pending += _emptied(folder, names)
        folder.rmdir()
    root.rmdir()


def _emptied(folder: Path, names: Iterator[Path]) -> list[Path]:
    """Remove the files of `folder` and move its folders to the next of `names`; returns where they are now."""
    moved = []
    with os.scandir(folder) as entries:
        found = [(entry.path, entry.is_dir(follow_symlinks=False)) for entry in entries]
    for path, is_folder in found:
        if not is_folder:
            os.unlink(path)  # noqa: PTH108 - of a tree, one by one
            continue
        os.chmod(path, 0o700)  # noqa: PTH101
        place = next(names)
        while os.path.lexists(place):
            place = next(names)
        os.rename(path, place)  # noqa: PTH104
        moved.append(place)
    return moved
