"""A container engine for tests: podman with its own storage.

Nothing is started before a test needs it.
"""

import contextlib
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.support.waiting import wait_until

BUSYBOX = Path("/bin/busybox")
DOCKERFILE = "FROM scratch\nCOPY busybox /bin/busybox\nENTRYPOINT []\n"
# The command of the probe's container, with the same limits as the tools.
_RUN = [
    *("run", "--rm", "--network=none", "--ulimit=nofile=100:100", "--ulimit=nproc=50:50", "--memory=50m"),
    *("localhost/probe", "/bin/busybox", "true"),
]


@contextlib.contextmanager
def own_engine() -> Iterator[tuple[str, ...]]:
    """Yield an engine with an empty storage, at a path that is short enough for podman (50 characters)."""
    storage = Path(tempfile.mkdtemp(prefix="podman-"))
    try:
        yield engine(storage)
    finally:
        _remove(storage)


def engine(storage: Path) -> tuple[str, ...]:
    """Return the command of podman with all its files below `storage`, for machines without systemd.

    It needs no file system of its own.
    """
    return (
        "podman",
        "--log-level=error",
        f"--root={storage / 'root'}",
        f"--runroot={storage / 'run'}",
        f"--tmpdir={storage / 'tmp'}",
        "--storage-driver=vfs",
        "--cgroup-manager=cgroupfs",
        "--events-backend=none",
        "--runtime=runc",
    )


def problem() -> str | None:
    """Start a container; returns None if that works here, else the reason. It takes seconds."""
    for program in ("podman", "runc"):
        if shutil.which(program) is None:
            return f"{program} is not installed"
    if not BUSYBOX.exists():
        return "busybox-static is not installed"
    with own_engine() as words, tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        (folder / "Dockerfile").write_text(DOCKERFILE)
        shutil.copy(BUSYBOX, folder / "busybox")
        for command in (["build", "--network=none", "--tag=probe", made], _RUN):
            done = subprocess.run(
                [*words, *command], capture_output=True, text=True, timeout=300, check=False
            )
            if done.returncode:
                return f"podman {command[0]} fails here: {done.stderr.strip()[-300:]}"
    return None


def _remove(storage: Path) -> None:
    """Remove an engine's storage.

    This repeats until it works, because podman still makes files after a container has ended.
    """

    def removed() -> bool:
        shutil.rmtree(storage, ignore_errors=True)
        return not storage.exists()

    wait_until(removed, f"the removal of {storage}")
