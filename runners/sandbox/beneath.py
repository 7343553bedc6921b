"""Open, list, read and write files below a folder that untrusted code may be changing at the same time.

A path is never resolved twice: each step starts at an open descriptor, and no link leads out of the folder.
On Linux 5.6 and later the kernel enforces this with openat2(2),
https://man7.org/linux/man-pages/man2/openat2.2.html. On older kernels these functions open the path folder
by folder and follow no link.
"""

import contextlib
import ctypes
import errno
import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

_OPENAT2 = 437
_RESOLVE_NO_MAGICLINKS = 0x02
_RESOLVE_NO_SYMLINKS = 0x04
_RESOLVE_BENEATH = 0x08
_LIBC = ctypes.CDLL(None, use_errno=True)
FOLDER = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC
READABLE_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
# In characters. A name in a file system has at most 255 bytes, and the kernel accepts paths of 4,095 bytes.
_LONGEST = 1000


class _How(ctypes.Structure):
    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


def open_beneath(root_fd: int, path: str, flags: int, *, links: bool = True) -> int:
    """Open `path` beneath the folder `root_fd`; returns a descriptor, which the caller closes.

    `flags` are those of open(2). With `links`, symbolic links are followed as long as they stay beneath
    `root_fd`. Raises `OSError`. Its number is EXDEV or ELOOP when the path leads out of the folder or passes
    a link that is not followed.
    """
    resolve = _RESOLVE_BENEATH | (_RESOLVE_NO_MAGICLINKS if links else _RESOLVE_NO_SYMLINKS)
    how = _How(flags | os.O_CLOEXEC, 0, resolve)
    fd = int(_LIBC.syscall(_OPENAT2, root_fd, os.fsencode(path), ctypes.byref(how), ctypes.sizeof(how)))
    if fd >= 0:
        return fd
    number = ctypes.get_errno()
    if number in (errno.ENOSYS, errno.EPERM):  # an older kernel, or a seccomp filter that refuses openat2
        return open_without_links(root_fd, path, flags)
    raise OSError(number, os.strerror(number))


def open_without_links(root_fd: int, path: str, flags: int) -> int:
    """Open `path` beneath `root_fd` folder by folder. Raises `OSError` when a part of it is a link."""
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
    """Open the folder `path` beneath `root` for reading, without following links. Raises `OSError`."""
    here = os.open(root, FOLDER)
    try:
        for part in _parts(path):
            below = open_beneath(here, part, FOLDER, links=False)
            os.close(here)
            here = below
        fd = os.open(".", READABLE_FOLDER, dir_fd=here)
    finally:
        os.close(here)
    try:
        yield fd
    finally:
        os.close(fd)


def _parts(path: str) -> Iterator[str]:
    """Cut `path` into pieces that are short enough for one system call (PATH_MAX, limits.h)."""
    while len(path) > _LONGEST:
        cut = path.rfind("/", 0, _LONGEST)
        yield path[:cut]
        path = path[cut + 1 :]
    yield path


def is_folder(root: Path, path: str) -> bool:
    """Return whether `path` beneath `root` is a folder and no part of it is a link."""
    try:
        with opened_folder(root, path):
            return True
    except OSError:
        return False


def folders(root: Path, below: str = ".") -> Iterator[tuple[str, int, list[os.DirEntry[str]]]]:
    """Yield each folder at and below `below`: its path relative to `root`, a descriptor, and its entries.

    The caller may remove entries from the list to keep this function out of those folders. Links are not
    followed. Folders that vanish meanwhile, or cannot be opened, are left out. Each descriptor is closed
    when the next folder is requested.
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


def set_mode(folder: int, name: str, mode: int) -> None:
    """Set the permissions of the file or folder `name` in the open folder `folder`.

    Raises `OSError`, also when `name` is a link.
    """
    place = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    try:
        if stat.S_ISLNK(os.fstat(place).st_mode):
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        # The path in /proc leads to exactly the file that was opened (proc(5)).
        Path(f"/proc/self/fd/{place}").chmod(mode)
    finally:
        os.close(place)


def file_paths(root: Path, below: str = ".") -> Iterator[str]:
    """Yield the paths, relative to `root`, of all regular files at and below `below`; follow no link."""
    for path, _, entries in folders(root, below):
        prefix = "" if path == "." else f"{path}/"
        yield from (prefix + each.name for each in entries if each.is_file(follow_symlinks=False))


def read_file(root: Path, path: str, limit: int = -1) -> bytes | None:
    """Return the first `limit` bytes (-1: all) of the file `path` beneath `root`.

    Returns None when `path` is not a regular file or a part of it is a link.
    """
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY
    with contextlib.suppress(OSError), _opened(root, path, flags) as fd:
        if stat.S_ISREG(os.fstat(fd).st_mode):
            with os.fdopen(os.dup(fd), "rb") as file:
                return file.read(limit)
    return None


def put_file(root: Path, path: str, content: bytes | None) -> None:
    """Write `content` to the file `path` beneath `root`, or delete the file if `content` is None.

    Missing folders are made. An existing link is replaced and not followed; an existing file keeps its
    permissions. Raises `OSError`, for example when a folder of `path` is a link.
    """
    folder, _, name = path.rpartition("/")
    if content is not None:
        _make_folders(root, folder)
    with opened_folder(root, folder or ".") as fd:
        mode = 0o644
        with contextlib.suppress(FileNotFoundError):
            status = os.stat(name, dir_fd=fd, follow_symlinks=False)
            mode = stat.S_IMODE(status.st_mode) if stat.S_ISREG(status.st_mode) else mode
            os.unlink(name, dir_fd=fd)
        if content is None:
            return
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(name, flags, 0o600, dir_fd=fd), "wb") as file:
            file.write(content)
            os.fchmod(file.fileno(), mode & 0o777)


def copy_in(source: Path, root: Path, path: str) -> bool:
    """Copy the file `source` to `path` beneath `root`, with its permissions; missing folders are made.

    Returns False, and copies nothing, when `path` exists already or a folder of it is a link.
    """
    folder, _, name = path.rpartition("/")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        _make_folders(root, folder)
        with contextlib.ExitStack() as stack:
            fd = stack.enter_context(opened_folder(root, folder or "."))
            data = stack.enter_context(source.open("rb"))
            file = stack.enter_context(os.fdopen(os.open(name, flags, 0o600, dir_fd=fd), "wb"))
            shutil.copyfileobj(data, file)
            os.fchmod(file.fileno(), stat.S_IMODE(os.fstat(data.fileno()).st_mode) & 0o777)
    except (FileExistsError, NotADirectoryError):
        return False
    except OSError as error:
        if error.errno not in (errno.ELOOP, errno.EXDEV):
            raise
        return False
    return True


def _make_folders(root: Path, folder: str) -> None:
    parts = folder.split("/") if folder else []
    for count, part in enumerate(parts):
        with opened_folder(root, "/".join(parts[:count]) or ".") as fd, contextlib.suppress(FileExistsError):
            os.mkdir(part, dir_fd=fd)


@contextlib.contextmanager
def _opened(root: Path, path: str, flags: int) -> Iterator[int]:
    """Open `path` beneath `root` without following links. Raises `OSError`."""
    folder, _, name = path.rpartition("/")
    with opened_folder(root, folder or ".") as folder_fd:
        fd = os.open(name, flags | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder_fd)
    try:
        yield fd
    finally:
        os.close(fd)
