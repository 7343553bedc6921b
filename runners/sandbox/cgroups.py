"""Control groups for one command, where the machine lets us make some.

They bound the number of processes where RLIMIT_NPROC cannot (that limit does not hold for the host's root),
and the memory of all of them together, shared memory and files in memory included.
https://docs.kernel.org/admin-guide/cgroup-v2.html, https://docs.kernel.org/admin-guide/cgroup-v1/memory.html
"""

import contextlib
import itertools
import os
import signal
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

_NAME = "scenarist"
_CONTROLLERS = {"pids", "memory"}
# Of version 1. The second one counts swap too, where the kernel accounts for it.
_MEMORY_V1 = ("memory.limit_in_bytes", "memory.memsw.limit_in_bytes")
_NUMBERS = itertools.count()
# The launcher, the first process of the pid namespace and a shell are not the command's own.
_OVERHEAD = 3


class Group:
    """The control groups of one command, one in each hierarchy of the kernel; there may be none.

    `bounds_memory` says whether one of them bounds the memory of the whole command.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = tuple(paths)
        self.bounds_memory = any(
            (path / name).exists() for path in paths for name in ("memory.max", _MEMORY_V1[0])
        )

    def add(self, pid: int) -> None:
        """Put a process into it that has no children yet. Raises `OSError`."""
        for path in self._paths:
            (path / "cgroup.procs").write_text(str(pid))

    @property
    def words(self) -> list[str]:
        """Words that, put before a command, have it join by itself: before anything else exists, by a
        shell."""
        if not self._paths:
            return []
        joins = "".join(f'echo 0 > "${number}" && ' for number in range(len(self._paths)))
        shift = f"shift {len(self._paths) - 1}; " if len(self._paths) > 1 else ""
        line = f'{joins}{shift}exec "$@"'
        return ["/bin/sh", "-c", line, *(str(path / "cgroup.procs") for path in self._paths)]


@contextlib.contextmanager
def control_group(processes: int, memory_mb: int) -> Iterator[Group]:
    """Make the groups for one command.

    `processes` counts threads too, `memory_mb` is in MiB. On leaving, what is left in them is killed and they
    are removed.
    """
    paths = [path for parent in _parents() if (path := _make(parent, processes, memory_mb)) is not None]
    try:
        yield Group(paths)
    finally:
        for path in paths:
            _remove(path)


def _make(parent: Path, processes: int, memory_mb: int) -> Path | None:
    if not os.access(parent, os.W_OK):
        return None
    _sweep(parent)
    group = parent / f"{_prefix()}-{os.getpid()}-{next(_NUMBERS)}"
    limits = {
        "pids.max": processes + _OVERHEAD,
        **dict.fromkeys(("memory.max", *_MEMORY_V1), memory_mb << 20),
    }
    try:
        group.mkdir()
        for name, value in limits.items():
            if (group / name).exists():
                (group / name).write_text(str(value))
    except OSError:
        with contextlib.suppress(OSError):
            group.rmdir()
        return None
    return group


def _prefix() -> str:
    """Process ids mean something in one pid namespace only; containers may share the control groups."""
    return f"{_NAME}-{Path('/proc/self/ns/pid').stat().st_ino}"


def _parents() -> list[Path]:
    """The folders for new groups: our own groups under v1, and under v2 a delegated one around our own."""
    try:
        lines = [line.split(":", 2) for line in Path("/proc/self/cgroup").read_text().splitlines()]
        mounts = [line.split() for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    except OSError:
        return []
    ours = {names: path for _, names, path in lines}
    found: dict[str, Path] = {}
    for fields in mounts:
        root, mount, kind, options = fields[3], Path(fields[4]), *fields[fields.index("-") + 1 :: 2]
        if kind != "cgroup":
            continue
        for names, path in ours.items():
            for controller in _CONTROLLERS & {*names.split(",")} & {*options.split(",")}:
                found.setdefault(controller, mount / os.path.relpath(path, root))
    if found:
        return list(dict.fromkeys(found.values()))
    for fields in mounts:
        if fields[fields.index("-") + 1] == "cgroup2" and "" in ours:
            # A v2 group holds processes or groups, not both: new ones go beside our own.
            own = Path(fields[4]) / os.path.relpath(ours[""], fields[3])
            with contextlib.suppress(OSError):
                if "pids" in (own.parent / "cgroup.subtree_control").read_text().split():
                    return [own.parent]
    return []


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
