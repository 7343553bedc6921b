"""Measure the size of a command's folders and its memory while it runs."""

import contextlib
import os
import stat
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from runners.sandbox.beneath import opened_folder

_FIRST_S = 0.25
# Measuring a large tree takes long. The next measurement waits so that at most 1/20 of the time is used.
_SHARE = 20
# The longest time of a single step: between steps, `Running` checks the command's time limit.
_STEP_S = 0.02
_ENTRIES_A_STEP = 500
_PRIVATE = ("tmp", "home/agent", "dev/shm")


class Watch:
    """Repeats a measurement, in short steps, and compares it with a limit.

    A command that ends before the first measurement is not measured. The next command's measurement counts
    the files that it left.
    """

    def __init__(self) -> None:
        self.root_pid: int | None = None
        self._next = time.monotonic() + _FIRST_S
        self._steps: Iterator[bool] | None = None
        self._took = 0.0

    def exceeded(self) -> bool:
        """Continue measuring for at most about 20 ms; returns whether the limit is known to be exceeded."""
        began = time.monotonic()
        if self._steps is None:
            if began < self._next:
                return False
            self._steps, self._took = self._measure(), 0.0
        over = False
        for over in self._steps:
            if over or time.monotonic() - began >= _STEP_S:
                break
        else:
            self._steps = None
        now = time.monotonic()
        self._took += now - began
        if self._steps is None:
            self._next = now + max(_FIRST_S, _SHARE * self._took)
        return over

    def _measure(self) -> Iterator[bool]:
        """Measure once; each step yields whether the limit is exceeded already."""
        raise NotImplementedError


class DiskWatch(Watch):
    """Measures the size of `folders` together and the number of files and folders in them.

    `limit_mb` is in MiB. A sparse file counts with its apparent size. If `root_pid` is set to the number of
    a sandbox's first process, the files in the sandbox's private folders count as well.
    """

    def __init__(self, folders: Iterable[Path], limit_mb: float, limit_files: int) -> None:
        super().__init__()
        self._folders = list(folders)
        self._limit_mb = limit_mb
        self._limit_files = limit_files
        self.used_mb = 0.0
        self.files = 0

    def _measure(self) -> Iterator[bool]:
        size, files = 0, self._private_files()
        for folder in self._folders:
            for more_bytes, more_files in sizes(folder):
                size, files = size + more_bytes, files + more_files
                # An unfinished measurement replaces the last result only where it has found more already.
                self.used_mb, self.files = max(self.used_mb, size / (1 << 20)), max(self.files, files)
                yield self._over(size, files)
        self.used_mb, self.files = size / (1 << 20), files
        yield self._over(size, files)

    def _over(self, size: int, files: int) -> bool:
        return size > self._limit_mb * (1 << 20) or files > self._limit_files

    def _private_files(self) -> int:
        used = 0
        for name in _PRIVATE if self.root_pid is not None else ():
            with contextlib.suppress(OSError):
                place = Path(f"/proc/{self.root_pid}/root/{name}")
                # Before the sandbox's first process has its own root it still has the host's folders.
                if place.stat().st_dev not in _devices_of_host():
                    found = os.statvfs(place)
                    used += found.f_files - found.f_ffree
        return used


def _devices_of_host() -> set[int]:
    """Return the file systems of this process's own folders of these names."""
    found = set()
    for name in _PRIVATE:
        with contextlib.suppress(OSError):
            found.add(Path(f"/{name}").stat().st_dev)
    return found


def sizes(folder: Path) -> Iterator[tuple[int, int]]:
    """Yield the bytes and the number of files and folders in parts of `folder`; links are not followed."""
    pending = ["."]
    while pending:
        path = pending.pop()
        prefix = "" if path == "." else f"{path}/"
        size = files = 0
        with contextlib.suppress(OSError), opened_folder(folder, path) as fd, os.scandir(fd) as entries:
            for entry in entries:
                files += 1
                with contextlib.suppress(OSError):  # it was removed meanwhile
                    size += _size(entry.stat(follow_symlinks=False))
                    if entry.is_dir(follow_symlinks=False):
                        pending.append(prefix + entry.name)
                if files >= _ENTRIES_A_STEP:
                    yield size, files
                    size = files = 0
        yield size, files


def _size(status: os.stat_result) -> int:
    used = status.st_blocks * 512
    return max(used, status.st_size) if stat.S_ISREG(status.st_mode) else used


def size_of(folder: Path) -> int:
    """Return the bytes that the files below `folder` take; a sparse file counts with its apparent size.

    Links are not followed.
    """
    return sum(size for size, _ in sizes(folder))


class MemoryWatch(Watch):
    """Measures the memory of all processes of a sandbox together, where no control group limits it.

    It counts private memory, shared memory (each page once: the kernel's proportional set size) and the files
    of memfd_create(2), mapped or not. `limit_mb` is in MiB. Nothing is measured before `root_pid` is set.
    """

    def __init__(self, limit_mb: float) -> None:
        super().__init__()
        self._limit_mb = limit_mb

    def _measure(self) -> Iterator[bool]:
        private = shared = 0
        files: dict[tuple[int, int], int] = {}
        for pid in _processes(self.root_pid) if self.root_pid is not None else ():
            more_private, more_shared = _memory_of(pid)
            private, shared = private + more_private, shared + more_shared
            files |= _memory_files(pid)
            yield private + max(shared, sum(files.values())) > self._limit_mb * (1 << 20)


def _processes(root: int) -> Iterator[int]:
    """Yield the numbers of the process `root` and of all its descendants."""
    pending = [root]
    while pending:
        pid = pending.pop()
        yield pid
        for children in Path(f"/proc/{pid}/task").glob("*/children"):
            with contextlib.suppress(OSError):
                pending += map(int, children.read_text().split())


def _memory_of(pid: int) -> tuple[int, int]:
    """Return the bytes of private and of shared memory of a process (proc(5), `smaps_rollup`)."""
    found = {"Pss_Anon": 0, "Pss_Shmem": 0}
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            name, _, value = line.partition(":")
            if name in found:
                found[name] = 1024 * int(value.split()[0])
    return found["Pss_Anon"], found["Pss_Shmem"]


def _memory_files(pid: int) -> dict[tuple[int, int], int]:
    """Return the files in memory that a process has open: (device, inode) -> bytes."""
    found = {}
    with contextlib.suppress(OSError), os.scandir(f"/proc/{pid}/fd") as entries:
        for entry in entries:
            with contextlib.suppress(OSError):
                if str(Path(entry.path).readlink()).startswith("/memfd:"):
                    status = entry.stat()
                    found[status.st_dev, status.st_ino] = status.st_blocks * 512
    return found
