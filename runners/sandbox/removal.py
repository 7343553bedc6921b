"""Remove folders that untrusted code has filled and may still be changing."""

import errno
import os
import stat
from collections.abc import Iterator
from itertools import count
from pathlib import Path

from runners.sandbox.beneath import FOLDER, READABLE_FOLDER, set_mode

# How often to empty a folder again when untrusted code adds files to it meanwhile.
_ATTEMPTS = 100


def remove_tree(root: Path) -> None:
    """Remove `root` and everything in it, at any depth and with any permissions, if it exists.

    Links are removed and not followed, also when a folder is replaced with a link meanwhile. Raises `OSError`
    when something cannot be removed, for example because it belongs to another account.
    """
    try:
        parent = os.open(root.parent, FOLDER)
    except FileNotFoundError:
        return
    try:
        remove_at(parent, root.name)
    finally:
        os.close(parent)


def remove_at(folder: int, name: str) -> None:
    """Remove the entry `name` of the open folder `folder`, as `remove_tree` does."""
    for attempt in range(_ATTEMPTS):
        try:
            if not _remove_file(folder, name):
                _empty(folder, name)
                os.rmdir(name, dir_fd=folder)
        except FileNotFoundError:
            return
        except OSError as error:
            # Since it was read, untrusted code has added something to the folder or replaced it.
            again = error.errno in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR, errno.ELOOP, errno.EISDIR)
            if not again or attempt == _ATTEMPTS - 1:
                raise
        else:
            return


def _remove_file(folder: int, name: str) -> bool:
    """Remove a file or link; returns False, and removes nothing, if it is a folder. Raises `OSError`."""
    if stat.S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
        return False
    os.unlink(name, dir_fd=folder)
    return True


def _empty(folder: int, name: str) -> None:
    """Remove everything in the folder `name`.

    Inner folders are first moved up into it. So no path gets long, nothing recurses, and two descriptors are
    enough for a tree of any depth.
    """
    top = _open_for_removal(folder, name)
    try:
        names = (f".removing-{number}" for number in count())
        pending = _emptied(top, top, names)
        while pending:
            inner = pending.pop()
            fd = _open_for_removal(top, inner)
            try:
                pending += _emptied(fd, top, names)
            finally:
                os.close(fd)
            os.rmdir(inner, dir_fd=top)
    finally:
        os.close(top)


def _open_for_removal(folder: int, name: str) -> int:
    """Give the owner all permissions on the folder `name` and open it.

    Raises `OSError`, for example when it is a link.
    """
    set_mode(folder, name, 0o700)
    return os.open(name, READABLE_FOLDER | os.O_NOFOLLOW, dir_fd=folder)


def _emptied(fd: int, top: int, names: Iterator[str]) -> list[str]:
    """Remove the files of the folder `fd` and move its folders into `top`; returns their names there.

    `names` yields the new names.
    """
    with os.scandir(fd) as found:
        entries = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in found]
    moved = []
    for name, is_dir in entries:
        if not is_dir:
            os.unlink(name, dir_fd=fd)
            continue
        place = next(names)
        while _exists(top, place):
            place = next(names)
        # Moving a folder changes its `..`, for which its own permissions must allow writing.
        os.close(_open_for_removal(fd, name))
        os.rename(name, place, src_dir_fd=fd, dst_dir_fd=top)
        moved.append(place)
    return moved


def _exists(folder: int, name: str) -> bool:
    try:
        os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True
