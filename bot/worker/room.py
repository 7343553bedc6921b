"""Whether this machine has room for one more run, by its memory and its load."""

import os
from pathlib import Path

from bot.config.settings import Settings

# https://docs.kernel.org/filesystems/proc.html#meminfo: what can be had without swapping.
MEMINFO = Path("/proc/meminfo")


def lacking(settings: Settings) -> str:
    """Return what this machine has too little of for another run, as a clause; empty if there is room."""
    if settings.spare_memory_mb:
        free = available_mb(MEMINFO.read_text(encoding="ascii"))
        if free < settings.spare_memory_mb:
            return f"only {free:,} MB of memory are available"
    if settings.most_load:
        load = os.getloadavg()[0] / (os.cpu_count() or 1)
        if load > settings.most_load:
            return f"the load is {load:.1f} per processor"
    return ""


def available_mb(meminfo: str) -> int:
    """Return the available memory in MB from the text of /proc/meminfo."""
    line = next(line for line in meminfo.splitlines() if line.startswith("MemAvailable:"))
    return int(line.split()[1]) // 1024
