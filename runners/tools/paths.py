"""Opening files beneath the workspace, and nowhere else, while commands may be moving things around in it.

With openat2(2) (Linux 5.6, https://man7.org/linux/man-pages/man2/openat2.2.html) the kernel follows links as long
as they stay beneath; without it no link is followed at all.
"""

import contextlib
import ctypes
import errno
import os
import posixpath
import secrets
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from runners.sandbox import WORKSPACE
from runners.tools.base import Refused

_OPENAT2 = 437
_RESOLVE_NO_MAGICLINKS = 0x02
_RESOLVE_BENEATH = 0x08
_LIBC = ctypes.CDLL(None, use_errno=True)
_DIRECTORY = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC


class _How(ctypes.Structure):
    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


def normalise(path: str) -> str:
    """`path` as a model wrote it, relative to the workspace (``.`` is the workspace itself).

    An absolute path below `/workspace` is taken as relative. Raises `Refused` for paths that lead outside, have a
    part named `.git`, or cannot be the name of a file.
    """
    try:
        if "\0" in path or len(path.encode()) > 4000:
            raise Refused(
                "The path is too long or holds a NUL character. Give a path relative to the workspace."
            )
    except UnicodeEncodeError:
        raise Refused("The path is not valid text. Give a path relative to the workspace.") from None
    if path == WORKSPACE or path.startswith(WORKSPACE + "/"):
        path = path[len(WORKSPACE) :].lstrip("/")
    clean = posixpath.normpath(path or ".")
    if clean.startswith("/") or clean == ".." or clean.startswith("../"):
        raise Refused(f"`{path}` is outside the workspace. Give a path relative to the workspace.")
    _refuse_git(clean)
    return clean


def _refuse_git(path: str) -> None:
    if any(part.lower() == ".git" for part in path.split("/")):
        raise Refused("`.git` cannot be reached. Use git_status, git_diff and git_log.")


@contextlib.contextmanager
def open_file(root: Path, path: str) -> Iterator[int]:
    """A file descriptor to read the regular file `path` (normalised). Raises `Refused`."""
    with _opened(root, path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY) as (fd, _):
        if stat.S_ISDIR(os.fstat(fd).st_mode):
            raise Refused(f"`{path}` is a folder. Use list_files.")
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise Refused(f"`{path}` is not a regular file.")
        yield fd


@contextlib.contextmanager
def open_folder(root: Path, path: str) -> Iterator[tuple[int, str]]:
    """A descriptor (O_PATH) of the folder `path`, and where it really lies. Raises `Refused`."""
    with _opened(root, path, _DIRECTORY) as found:
        yield found


def read_bytes(root: Path, path: str, limit: int) -> bytes:
    """The first `limit` bytes of the file `path` (normalised). Raises `Refused`."""
    with open_file(root, path) as fd, os.fdopen(os.dup(fd), "rb") as file:
        return file.read(limit)


def write_bytes(root: Path, path: str, data: bytes, check: Callable[[str], None]) -> bool:
    """Replace or create the file `path` (normalised) at once, its folders too; True if it is new.

    `check` gets the path where the file really lies, links in its folders followed, and raises `Refused` if it must
    not be written. An existing file keeps its permissions. Raises `Refused`, for one where `path` is a link.
    """
    folder, name = posixpath.split(path)
    if path == ".":
        raise Refused("The path is the workspace itself. Give the path of a file in it.")
    check(path)
    _make_folders(root, folder)
    with open_folder(root, folder or ".") as (fd, real):
        check(posixpath.normpath(posixpath.join(real, name)))
        mode = _mode_of(fd, name, path)
        temporary = f".{secrets.token_hex(8)}.tmp"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            with os.fdopen(os.open(temporary, flags, 0o600, dir_fd=fd), "wb") as file:
                file.write(data)
                os.fchmod(file.fileno(), 0o644 if mode is None else mode & 0o777)
            os.replace(temporary, name, src_dir_fd=fd, dst_dir_fd=fd)
        except OSError as error:
            with contextlib.suppress(OSError):
                os.unlink(temporary, dir_fd=fd)
            raise _refusal(path, error) from None
    return mode is None


def _mode_of(folder: int, name: str, path: str) -> int | None:
    """The mode of the file that is there, None if there is none."""
    try:
        mode = os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _refusal(path, error) from None
    if stat.S_ISLNK(mode):
        raise Refused(f"`{path}` is a symbolic link. Change the file it points to instead.")
    if not stat.S_ISREG(mode):
        raise Refused(f"`{path}` is there and is not a regular file. Choose another path.")
    return mode


def _make_folders(root: Path, folder: str) -> None:
    parts = folder.split("/") if folder else []
    for count, part in enumerate(parts):
        with open_folder(root, "/".join(parts[:count]) or ".") as (fd, _):
            try:
                os.mkdir(part, dir_fd=fd)
            except FileExistsError:
                continue
            except OSError as error:
                raise _refusal(folder, error) from None


@contextlib.contextmanager
def _opened(root: Path, path: str, flags: int) -> Iterator[tuple[int, str]]:
    """Open `path` beneath `root`; yields the descriptor and the real path, which is checked for `.git` as well."""
    root_fd = os.open(root, _DIRECTORY)
    try:
        try:
            fd = _open_beneath(root_fd, path, flags | os.O_CLOEXEC)
        except OSError as error:
            raise _refusal(path, error) from None
        try:
            real = os.path.relpath(_place(fd), _place(root_fd))
            _refuse_git(real)
            yield fd, real
        finally:
            os.close(fd)
    finally:
        os.close(root_fd)


def _place(fd: int) -> str:
    return str(Path(f"/proc/self/fd/{fd}").readlink())


def _open_beneath(root_fd: int, path: str, flags: int) -> int:
    how = _How(flags, 0, _RESOLVE_BENEATH | _RESOLVE_NO_MAGICLINKS)
    fd = int(_LIBC.syscall(_OPENAT2, root_fd, os.fsencode(path), ctypes.byref(how), ctypes.sizeof(how)))
    if fd >= 0:
        return fd
    number = ctypes.get_errno()
    if number in (errno.ENOSYS, errno.EPERM):  # an older kernel, or a seccomp filter that does not know it
        return open_without_links(root_fd, path, flags)
    raise OSError(number, os.strerror(number))


def open_without_links(root_fd: int, path: str, flags: int) -> int:
    """Open `path` beneath `root_fd` folder by folder; any link on the way ends in `OSError`."""
    *folders, name = path.split("/")
    here = os.dup(root_fd)
    try:
        for folder in folders:
            below = os.open(folder, _DIRECTORY | os.O_NOFOLLOW, dir_fd=here)
            os.close(here)
            here = below
        return os.open(name, flags | os.O_NOFOLLOW, dir_fd=here)
    finally:
        os.close(here)


def _refusal(path: str, error: OSError) -> Refused:
    if error.errno == errno.ENOENT:
        return Refused(f"There is no `{path}`. Use list_files or glob to find the right path.")
    if error.errno in (errno.EXDEV, errno.ELOOP):
        return Refused(f"`{path}` leads through a link that cannot be followed. Use the real path.")
    if error.errno == errno.ENOTDIR:
        return Refused(f"A part of `{path}` is a file where a folder is needed. Use list_files.")
    return Refused(f"`{path}` cannot be opened: {os.strerror(error.errno or 0)}.")
