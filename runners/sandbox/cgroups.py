"""Control groups for one command, on machines where this account may make them.

They limit the number of processes, also for the host's root, for whom RLIMIT_NPROC has no effect. They limit
the memory of all processes together, including shared memory and files in memory.
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
# File names of version 1. The second limit counts swap too, where the kernel accounts for it.
_MEMORY_V1 = ("memory.limit_in_bytes", "memory.memsw.limit_in_bytes")
_NUMBERS = itertools.count()
# Processes that do not belong to the command: the launcher, the pid namespace's first process, a shell.
_OVERHEAD = 3


class Group:
    """The control groups of one command: one in each hierarchy of the kernel, or none.

    `bounds_memory` says whether one of them limits the memory of the whole command.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = tuple(paths)
        self.bounds_memory = any(
            (path / name).exists() for path in paths for name in ("memory.max", _MEMORY_V1[0])
        )

    def add(self, pid: int) -> None:
        """Move the process `pid`, which must not have children yet, into the groups. Raises `OSError`."""
        for path in self._paths:
            (path / "cgroup.procs").write_text(str(pid))

    @property
    def words(self) -> list[str]:
        """Return the words to put before a command, so that it starts in a shell that joins the groups
        first.
        """
        if not self._paths:
            return []
        joins = "".join(f'echo 0 > "${number}" && ' for number in range(len(self._paths)))
        shift = f"shift {len(self._paths) - 1}; " if len(self._paths) > 1 else ""
        line = f'{joins}{shift}exec "$@"'
        return ["/bin/sh", "-c", line, *(str(path / "cgroup.procs") for path in self._paths)]


@contextlib.contextmanager
def control_group(processes: int, memory_mb: int) -> Iterator[Group]:
    """Make the control groups for one command, and remove them when the block ends.

    `processes` counts threads too; `memory_mb` is in MiB. Processes that are still in the groups at the end
    are killed.
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
    """Return the first part of group names: containers may share the groups but not the process ids."""
    return f"{_NAME}-{Path('/proc/self/ns/pid').stat().st_ino}"


def _parents() -> list[Path]:
    """Return the folders in which this process may make groups.

    Under version 1 these are the process's own groups, under version 2 the parent of its own group if that
    is delegated to this account.
    """
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
            # A group of version 2 holds processes or groups, not both: new groups are made beside our own.
            own = Path(fields[4]) / os.path.relpath(ours[""], fields[3])
            with contextlib.suppress(OSError):
                if "pids" in (own.parent / "cgroup.subtree_control").read_text().split():
                    return [own.parent]
    return []


def _sweep(parent: Path) -> None:
    """Remove the groups of killed runners; rmdir refuses groups that still hold processes."""
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
            time.sleep(0.002)  # the last process has not ended yet
        else:
            return
