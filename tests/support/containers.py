"""A container engine for tests: podman with a storage of its own, and whether this machine lets it start containers."""

import contextlib
import functools
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

BUSYBOX = Path("/bin/busybox")
DOCKERFILE = "FROM scratch\nCOPY busybox /bin/busybox\nENTRYPOINT []\n"


@contextlib.contextmanager
def own_engine() -> Iterator[tuple[str, ...]]:
    """An engine with a fresh storage, by a path that is short enough for podman (50 characters)."""
    with tempfile.TemporaryDirectory(prefix="podman-") as made:
        yield engine(Path(made))


def engine(storage: Path) -> tuple[str, ...]:
    """podman with everything below `storage`, without systemd and without the need of a file system of its own."""
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


@functools.cache
def missing() -> str | None:
    """None if containers can be started here, else what keeps them."""
    for program in ("podman", "runc"):
        if shutil.which(program) is None:
            return f"{program} is not installed"
    if not BUSYBOX.exists():
        return "busybox-static is not installed"
    with tempfile.TemporaryDirectory(prefix="scenarist-podman-") as made:
        folder = Path(made)
        (folder / "Dockerfile").write_text(DOCKERFILE)
        shutil.copy(BUSYBOX, folder / "busybox")
        words = engine(folder / "storage")
        for command in (
            ["build", "--network=none", "--tag=probe", made],
            [
                "run",
                "--rm",
                "--network=none",
                "--ulimit=nofile=100:100",
                "--ulimit=nproc=50:50",
                "--memory=50m",
                "localhost/probe",
                "/bin/busybox",
                "true",
            ],
        ):
            done = subprocess.run(
                [*words, *command], capture_output=True, text=True, timeout=120, check=False
            )
            if done.returncode:
                return f"podman {command[0]} fails here: {done.stderr.strip()[-300:]}"
    return None
