"""A control group for one command, where the machine lets us make one.

It bounds the number of processes where RLIMIT_NPROC cannot (that limit does not hold for the host's root), and
under cgroup v2 the memory of all of them together. https://docs.kernel.org/admin-guide/cgroup-v2.html
"""

import contextlib
import itertools
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

_NAME = "scenarist"
_NUMBERS = itertools.count()
# The launcher, the first process of the pid namespace and a shell are not the command's own.
_OVERHEAD = 3


class Group:
    """A control group, or none where there can be none (`path` is None)."""

    def __init__(self, path: Path | None) -> None:
        self._path = path

    def add(self, pid: int) -> None:
        """Put a process into it that has no children yet. Raises `OSError`."""
        if self._path is not None:
            (self._path / "cgroup.procs").write_text(str(pid))

    @property
    def words(self) -> list[str]:
        """Words that, put before a command, have it join by itself: before anything else exists, by a shell."""
        if self._path is None:
            return []
        return ["/bin/sh", "-c", 'echo 0 > "$0" && exec "$@"', str(self._path / "cgroup.procs")]


@contextlib.contextmanager
def control_group(processes: int, memory_mb: int) -> Iterator[Group]:
    """Make a group for one command.

    `processes` counts threads too, `memory_mb` is in MiB. On leaving, what is left in the group is killed and
    the group removed.
    """
    path = _make(processes, memory_mb)
    try:
        yield Group(path)
    finally:
        if path is not None:
            _remove(path)


def _make(processes: int, memory_mb: int) -> Path | None:
    parent = _parent()
    if parent is None or not os.access(parent, os.W_OK):
        return None
    _sweep(parent)
    group = parent / f"{_prefix()}-{os.getpid()}-{next(_NUMBERS)}"
    try:
        group.mkdir()
        (group / "pids.max").write_text(str(processes + _OVERHEAD))
        if (group / "memory.max").exists():
            (group / "memory.max").write_text(str(memory_mb << 20))
    except OSError:
        with contextlib.suppress(OSError):
            group.rmdir()
        return None
    return group


def _prefix() -> str:
    """Process ids mean something in one pid namespace only; containers may share the control groups."""
    return f"{_NAME}-{Path('/proc/self/ns/pid').stat().st_ino}"


def _parent() -> Path | None:
    """The folder for new groups: our own group under v1, and under v2 a delegated one around our own."""
    try:
        lines = [line.split(":", 2) for line in Path("/proc/self/cgroup").read_text().splitlines()]
        mounts = [line.split() for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    except OSError:
        return None
    ours = {names: path for _, names, path in lines}
    for fields in mounts:
        root, mount, kind, options = fields[3], Path(fields[4]), *fields[fields.index("-") + 1 :: 2]
        if kind == "cgroup" and "pids" in options.split(",") and "pids" in ours:
            return mount / os.path.relpath(ours["pids"], root)
    for fields in mounts:
        if fields[fields.index("-") + 1] == "cgroup2" and "" in ours:
            # A v2 group holds processes or groups, not both: new ones go beside our own.
            own = Path(fields[4]) / os.path.relpath(ours[""], fields[3])
            with contextlib.suppress(OSError):
                if "pids" in (own.parent / "cgroup.subtree_control").read_text().split():
                    return own.parent
    return None


def _sweep(parent: Path) -> None:
    """Remove what a killed runner left; a group with processes in it stays (rmdir refuses)."""
    for group in parent.glob(f"{_prefix()}-*-*"):
        with contextlib.suppress(OSError, ValueError):
            if not Path(f"/proc/{int(group.name.split('-')[2])}").exists():
                group.rmdir()


def _remove(group: Path) -> None:
    for _ in range(2_000):
        with contextlib.suppress(OSError):
            for pid in (group / "cgroup.procs").read_text().split():
                os.kill(int(pid), signal.SIGKILL)
        try:
            group.rmdir()
        except OSError:
            time.sleep(0.002)  # the last process is still on its way out
        else:
            return
