"""Opening, walking and removing what lies below a folder, while untrusted code may be changing that folder.

A path is never resolved twice: each step starts at an open descriptor, and no link leads out of the folder. With
openat2(2) (Linux 5.6, https://man7.org/linux/man-pages/man2/openat2.2.html) the kernel itself keeps to that; on older
kernels the path is opened folder by folder, and no link is followed.
"""

import contextlib
import ctypes
import errno
import os
import stat
from collections.abc import Iterator
from itertools import count
from pathlib import Path

_OPENAT2 = 437
_RESOLVE_NO_MAGICLINKS = 0x02
_RESOLVE_NO_SYMLINKS = 0x04
_RESOLVE_BENEATH = 0x08
_LIBC = ctypes.CDLL(None, use_errno=True)
FOLDER = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC
_READABLE_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
# In characters; a file system's name has at most 255 bytes, and a path the kernel takes 4,095.
_LONGEST = 1000
# How often a folder is emptied again that somebody fills meanwhile.
_ATTEMPTS = 100


class _How(ctypes.Structure):
    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


def open_beneath(root_fd: int, path: str, flags: int, *, links: bool = True) -> int:
    """Open `path` beneath the folder `root_fd`; returns a descriptor, which the caller closes.

    `flags` are those of open(2). With `links`, symbolic links are followed as long as they stay beneath. Raises
    `OSError`, with the number EXDEV or ELOOP for a path that leads out or through a link that is not followed.
    """
    resolve = _RESOLVE_BENEATH | (_RESOLVE_NO_MAGICLINKS if links else _RESOLVE_NO_SYMLINKS)
    how = _How(flags | os.O_CLOEXEC, 0, resolve)
    fd = int(_LIBC.syscall(_OPENAT2, root_fd, os.fsencode(path), ctypes.byref(how), ctypes.sizeof(how)))
    if fd >= 0:
        return fd
    number = ctypes.get_errno()
    if number in (errno.ENOSYS, errno.EPERM):  # an older kernel, or a seccomp filter that does not know it
        return open_without_links(root_fd, path, flags)
    raise OSError(number, os.strerror(number))


def open_without_links(root_fd: int, path: str, flags: int) -> int:
    """Open `path` beneath `root_fd` folder by folder; a link on the way raises `OSError`."""
    *folders, name = path.split("/")
    here = os.dup(root_fd)
    try:
        for folder in folders:
            below = os.open(folder, FOLDER | os.O_NOFOLLOW, dir_fd=here)
            os.close(here)
            here = below
        return os.open(name, flags | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=here)
    finally:
        os.close(here)


@contextlib.contextmanager
def opened_folder(root: Path, path: str = ".") -> Iterator[int]:
    """A readable descriptor of the folder `path` beneath `root`, no link followed. Raises `OSError`."""
    here = os.open(root, FOLDER)
    try:
        for part in _parts(path):
            below = open_beneath(here, part, FOLDER, links=False)
            os.close(here)
            here = below
        fd = os.open(".", _READABLE_FOLDER, dir_fd=here)
    finally:
        os.close(here)
    try:
        yield fd
    finally:
        os.close(fd)


def _parts(path: str) -> Iterator[str]:
    """`path` in pieces short enough for one system call (PATH_MAX, limits.h)."""
    while len(path) > _LONGEST:
        cut = path.rfind("/", 0, _LONGEST)
        yield path[:cut]
        path = path[cut + 1 :]
    yield path


def is_folder(root: Path, path: str) -> bool:
    """Whether `path` beneath `root` is a folder that is reached without a link."""
    try:
        with opened_folder(root, path):
            return True
    except OSError:
        return False


def folders(root: Path, below: str = ".") -> Iterator[tuple[str, int, list[os.DirEntry[str]]]]:
    """Each folder at and below `below`: its path relative to `root`, a descriptor of it, and its entries.

    The caller may take entries out of the list: folders that are not in it are not entered. Links are not followed.
    What vanishes meanwhile, or cannot be opened, is left out. The descriptor is closed with the next step.
    """
    pending = [below]
    while pending:
        path = pending.pop()
        with contextlib.suppress(OSError), opened_folder(root, path) as fd:
            with os.scandir(fd) as found:
                entries = list(found)
            yield path, fd, entries
            prefix = "" if path == "." else f"{path}/"
            pending += [prefix + each.name for each in entries if each.is_dir(follow_symlinks=False)]


def remove_tree(root: Path) -> None:
    """Remove `root` with everything in it, however deep it is and whatever its permissions say; none there is fine.

    Links are removed and not followed, also when somebody swaps a folder for one meanwhile. Raises `OSError` for what
    cannot be removed, for one because it belongs to somebody else.
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
    """Remove what is called `name` in the open folder `folder`, as `remove_tree` does."""
    for attempt in range(_ATTEMPTS):
        try:
            if not _remove_file(folder, name):
                _empty(folder, name)
                os.rmdir(name, dir_fd=folder)
        except FileNotFoundError:
            return
        except OSError as error:
            # Somebody has put something into it, or something else in its place, since it was looked at.
            again = error.errno in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR, errno.ELOOP, errno.EISDIR)
            if not again or attempt == _ATTEMPTS - 1:
                raise
        else:
            return


def _remove_file(folder: int, name: str) -> bool:
    """Remove a file or link; False if it is a folder. Raises `OSError`."""
    if stat.S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
        return False
    os.unlink(name, dir_fd=folder)
    return True


def _empty(folder: int, name: str) -> None:
    """Remove all that is in the folder `name`.

    Folders within it are first moved up into it, so that no path gets long, nothing recurses, and two descriptors
    are enough for a tree of any depth.
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


def set_mode(folder: int, name: str, mode: int) -> None:
    """Set the permissions of a file or folder in the open folder `folder`, not of what a link points to.

    Raises `OSError`, on a link.
    """
    place = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    try:
        if stat.S_ISLNK(os.fstat(place).st_mode):
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        # Through /proc it is the very file that was opened (proc(5)).
        Path(f"/proc/self/fd/{place}").chmod(mode)
    finally:
        os.close(place)


def _open_for_removal(folder: int, name: str) -> int:
    """Open the folder `name`, which is given the rights for that. Raises `OSError`, for one if it is a link."""
    set_mode(folder, name, 0o700)
    return os.open(name, _READABLE_FOLDER | os.O_NOFOLLOW, dir_fd=folder)


def _emptied(fd: int, top: int, names: Iterator[str]) -> list[str]:
    """Remove the files of the folder `fd` and move its folders to the next of `names` in `top`; returns those."""
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
        # Its own rights must allow that its `..` changes.
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
