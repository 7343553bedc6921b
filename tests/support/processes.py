"""Find the processes of this machine that belong to a folder."""

import contextlib
import os
from pathlib import Path


def processes_of(folder: Path) -> dict[int, str]:
    """Return ids and command lines of the processes of a bot whose state is below `folder`.

    They name the folder in their environment or command line, or have a log below it open, such as Redis,
    which overwrites both.
    """
    found = {}
    name = str(folder).encode()
    for place in Path("/proc").glob("[0-9]*"):
        if place.name == str(os.getpid()):
            continue
        with contextlib.suppress(OSError):
            command = (place / "cmdline").read_bytes()
            known = (place / "environ").read_bytes() + command
            with contextlib.suppress(FileNotFoundError):
                known += bytes((place / "fd" / "1").readlink())
            if name in known:
                found[int(place.name)] = command.replace(b"\0", b" ").decode(errors="replace")
    return found


def sandboxes(state_dir: Path) -> list[str]:
    """Return the ids of the processes that have a worktree of this bot mounted."""
    found = []
    for mounts in Path("/proc").glob("[0-9]*/mountinfo"):
        with contextlib.suppress(OSError):
            if f"{state_dir}/work" in mounts.read_text():
                found.append(mounts.parent.name)
    return found
