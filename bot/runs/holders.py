"""Who holds a run, told so that others on the same machine can see when that process is gone."""

import os
import socket
from functools import cache
from pathlib import Path


@cache
def _place() -> str:
    """Where process ids mean the same: this boot of this machine, and this pid namespace."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip().replace("-", "")[:12]
    return f"{boot}.{Path('/proc/self/ns/pid').stat().st_ino}"


def _started(pid: int) -> str | None:
    """When a process started, in ticks since boot (field 22 of proc(5)'s stat); None when there is none."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    # The name in brackets may hold anything; a process that has ended and waits for its parent is gone.
    fields = text.rpartition(")")[2].split()
    return None if fields[0] == "Z" else fields[19]


def holder() -> str:
    """This process, as ``host:pid@place#start``."""
    pid = os.getpid()
    return f"{socket.gethostname()}:{pid}@{_place()}#{_started(pid)}"


def is_gone(name: str) -> bool:
    """Whether the process of that name was one of this machine, and is no more. Of others nothing is known: False."""
    where, _, start = name.rpartition("#")
    host_pid, _, place = where.rpartition("@")
    pid = host_pid.rpartition(":")[2]
    return bool(start) and place == _place() and pid.isdigit() and _started(int(pid)) != start
