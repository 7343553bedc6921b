"""Read, write, move and remove files in the workspace, and nowhere else.

Commands may be moving files in it meanwhile, so nothing is looked up twice: see `runners.sandbox.beneath`.
"""

import contextlib
import errno
import os
import posixpath
import secrets
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from runners.policy.refused import Denied, Refused
from runners.sandbox.beneath import FOLDER, open_beneath
from runners.sandbox.bubblewrap import WORKSPACE
from runners.sandbox.removal import remove_at

PathCheck = Callable[[str], None]


class Missing(Refused):
    """There is nothing at that path."""


def normalise(path: str) -> str:
    """Return `path` as a model wrote it, relative to the workspace (``.`` is the workspace itself).

    An absolute path below `/workspace` is taken as relative. Raises `Refused` for paths that lead outside,
    have a part named `.git`, or cannot be the name of a file.
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
        raise Denied(f"`{path}` is outside the workspace.", "Give a path relative to the workspace.")
    _refuse_git(clean)
    return clean


def _refuse_git(path: str) -> None:
    if any(part.lower() == ".git" for part in path.split("/")):
        raise Denied("`.git` cannot be reached.", "Use git_status, git_diff and git_log.")


@contextlib.contextmanager
def open_file(root: Path, path: str) -> Iterator[int]:
    """Return a file descriptor to read the regular file `path` (normalised). Raises `Refused`."""
    with _opened(root, path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY) as (fd, _):
        if stat.S_ISDIR(os.fstat(fd).st_mode):
            raise Refused(f"`{path}` is a folder. Use list_files.")
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise Refused(f"`{path}` is not a regular file.")
        yield fd


@contextlib.contextmanager
def open_folder(root: Path, path: str) -> Iterator[tuple[int, str]]:
    """Return a descriptor (O_PATH) of the folder `path`, and its real path. Raises `Refused`."""
    with _opened(root, path, FOLDER) as found:
        yield found


def read_bytes(root: Path, path: str, limit: int) -> bytes:
    """Return the first `limit` bytes of the file `path` (normalised). Raises `Refused`."""
    with open_file(root, path) as fd, os.fdopen(os.dup(fd), "rb") as file:
        return file.read(limit)


def write_bytes(root: Path, path: str, data: bytes, check: PathCheck) -> bool:
    """Replace or create the file `path` (normalised) in one step, with its folders; returns whether it is
    new.

    `check` gets the file's real path, with links in its folders followed, and raises `Refused` if it must not
    be written. An existing file keeps its permissions. Raises `Refused`, for example if `path` is a link.
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


def remove(root: Path, path: str, check: PathCheck, *, recursive: bool) -> list[str]:
    """Remove the file, link or folder `path` (normalised); returns the files that are gone.

    `check` is called for each of them first and raises `Refused` for one that must stay. Links are removed,
    never followed. Raises `Refused`, for one for a folder that is not empty where `recursive` is not set.
    """
    if path == ".":
        raise Refused("The path is the workspace itself. Give the path of something in it.")
    folder, name = posixpath.split(path)
    with open_folder(root, folder or ".") as (fd, real):
        gone = _below(fd, name, posixpath.normpath(posixpath.join(real, name)), path)
        for each in gone:
            check(each)
        try:
            if not stat.S_ISDIR(os.stat(name, dir_fd=fd, follow_symlinks=False).st_mode):
                os.unlink(name, dir_fd=fd)
            elif recursive:
                remove_at(fd, name)
            else:
                os.rmdir(name, dir_fd=fd)
        except OSError as error:
            raise _refusal(path, error) from None
    return gone


def move(root: Path, source: str, target: str, check: PathCheck) -> list[str]:
    """Move the file or folder `source` to `target` (both normalised), which must not exist.

    Returns the removed and the new files; `check` is called for each first. Raises `Refused`.
    """
    if "." in (source, target) or f"{target}/".startswith(f"{source}/"):
        raise Refused("A folder cannot be moved into itself. Give another place.")
    folder, name = posixpath.split(source)
    to_folder, to_name = posixpath.split(target)
    with open_folder(root, folder or ".") as (fd, real):
        here = posixpath.normpath(posixpath.join(real, name))
        gone = _below(fd, name, here, source)
        for each in gone:
            check(each)
        check(target)
        _make_folders(root, to_folder)
        with open_folder(root, to_folder or ".") as (to_fd, to_real):
            there = posixpath.normpath(posixpath.join(to_real, to_name))
            new = [there + each[len(here) :] for each in gone]
            for each in new:
                check(each)
            if _exists(to_fd, to_name):
                raise Refused(f"`{target}` exists already. Delete it first, or choose another path.")
            try:
                os.rename(name, to_name, src_dir_fd=fd, dst_dir_fd=to_fd)
            except OSError as error:
                raise _refusal(source, error) from None
    return [*gone, *new]


def make_folder_at(root: Path, path: str) -> None:
    """Make the folder `path` (normalised) and those above it. Raises `Refused`."""
    _make_folders(root, path)
    with open_folder(root, path):
        pass


def status_of(root: Path, path: str) -> tuple[os.stat_result, str | None]:
    """Return what is at `path` (normalised), itself and not what a link points to, which comes second.

    Raises `Refused`.
    """
    folder, name = posixpath.split(path)
    with open_folder(root, folder or ".") as (fd, _):
        try:
            found = os.stat(name or ".", dir_fd=fd, follow_symlinks=False)
            link = os.readlink(name, dir_fd=fd) if stat.S_ISLNK(found.st_mode) else None
        except OSError as error:
            raise _refusal(path, error) from None
        return found, link


def _below(folder: int, name: str, real: str, path: str) -> list[str]:
    """Return the files at or below `name`, by the paths where they really lie; none of them in `.git`."""
    try:
        mode = os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode
    except OSError as error:
        raise _refusal(path, error) from None
    if not stat.S_ISDIR(mode):
        return [real]
    found = []
    for here, folders, files, fd in os.fwalk(name, dir_fd=folder, follow_symlinks=False):
        below = posixpath.normpath(posixpath.join(real, posixpath.relpath(here, name)))
        _refuse_git(below)
        links = [each for each in folders if stat.S_ISLNK(os.lstat(each, dir_fd=fd).st_mode)]
        found += [posixpath.join(below, each) for each in (*files, *links)]
    return sorted(found)


def _exists(folder: int, name: str) -> bool:
    try:
        os.stat(name, dir_fd=folder, follow_symlinks=False)
    except OSError:
        return False
    return True


def _mode_of(folder: int, name: str, path: str) -> int | None:
    """Return the mode of the file that is there, None if there is none."""
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
    """Open `path` beneath `root`; yields the descriptor and the real path, which is checked for `.git` as
    well."""
    root_fd = os.open(root, FOLDER)
    try:
        try:
            fd = open_beneath(root_fd, path, flags)
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


def _refusal(path: str, error: OSError) -> Refused:
    if error.errno == errno.ENOENT:
        return Missing(f"There is no `{path}`. Use list_files or glob to find the right path.")
    if error.errno in (errno.EXDEV, errno.ELOOP):
        return Refused(f"`{path}` leads through a link that cannot be followed. Use the real path.")
    if error.errno == errno.ENOTEMPTY:
        return Refused(
            f"`{path}` is a folder that is not empty. Set `recursive` to delete what is in it too."
        )
    if error.errno == errno.ENOTDIR:
        return Refused(f"A part of `{path}` is a file where a folder is needed. Use list_files.")
    return Refused(f"`{path}` cannot be opened: {os.strerror(error.errno or 0)}.")
