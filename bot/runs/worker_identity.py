"""The identity of a worker process, from which others on the same machine can tell whether it still lives."""

import os
import socket
from functools import cache
from pathlib import Path


@cache
def _place() -> str:
    """Return an id of this boot and pid namespace, outside of which process ids cannot be compared."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip().replace("-", "")[:12]
    return f"{boot}.{Path('/proc/self/ns/pid').stat().st_ino}"


def _started(pid: int) -> str | None:
    """Return when a process started, in ticks since boot (field 22 of proc(5)'s stat).

    None if it has ended.
    """
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    # The name in brackets may hold any characters. A zombie (state Z) counts as ended.
    fields = text.rpartition(")")[2].split()
    return None if fields[0] == "Z" else fields[19]


def worker_identity() -> str:
    """Return the identity of this process: ``host:pid@place#start``."""
    pid = os.getpid()
    return f"{socket.gethostname()}:{pid}@{_place()}#{_started(pid)}"


def is_here(name: str) -> bool:
    """Return whether a worker with that identity works on this machine, in this boot and pid namespace."""
    return name.rpartition("#")[0].rpartition("@")[2] == _place()


def is_gone(name: str) -> bool:
    """Return whether the process with that identity ran on this machine and has ended.

    False for a process of another machine, whose state is not known here.
    """
    where, _, start = name.rpartition("#")
    host_pid, _, place = where.rpartition("@")
    pid = host_pid.rpartition(":")[2]
    return bool(start) and place == _place() and pid.isdigit() and _started(int(pid)) != start
