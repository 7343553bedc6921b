"""The limits of one command, and how they are set in the kernel."""

import os
import resource
import shutil

from pydantic import Field

from gherkin.values import Frozen


class CommandLimits(Frozen):
    """The limits of one command.

    `wall_s` and `cpu_s` are seconds (`cpu_s` for each process). `memory_mb` (MiB) bounds the private memory
    of each process, and the private and shared memory of all of them together. `processes` counts threads
    too. `file_mb` (MiB) bounds each file, and each of the private /tmp, home and /dev/shm. `output_bytes` is
    how much output is kept. `disk_mb` (MiB) bounds the workspace and the other writable folders together.
    `files` bounds the number of files and folders there and in the private folders. `suite_s` is how many
    seconds a run of a whole suite may take (None: as long as any other command).
    """

    wall_s: float = Field(default=120.0, gt=0)
    suite_s: float | None = Field(default=None, gt=0)
    cpu_s: float = Field(default=300.0, gt=0)
    memory_mb: int = Field(default=4096, gt=0)
    processes: int = Field(default=512, gt=0)
    file_mb: int = Field(default=1024, gt=0)
    open_files: int = Field(default=1024, gt=0)
    output_bytes: int = Field(default=1_000_000, gt=0)
    disk_mb: float = Field(default=4096, gt=0)
    files: int = Field(default=500_000, gt=0)

    def of_suite(self) -> "CommandLimits":
        """Return the limits of a run of a suite. A suite may use all cores as long as it runs."""
        return self.lasting(self.suite_s or self.wall_s)

    def lasting(self, seconds: float) -> "CommandLimits":
        """Return the same limits for a command that may run for so many seconds, on all cores."""
        cpu_s = max(self.cpu_s, seconds * (os.cpu_count() or 1))
        return self.model_copy(update={"wall_s": seconds, "cpu_s": cpu_s})


def _rlimits(limits: CommandLimits) -> dict[str, tuple[int, int]]:
    """Return the limits of each process: name -> (number, value).

    RLIMIT_DATA is used instead of RLIMIT_AS, because many runtimes reserve address space without using it.
    """
    wanted = {
        "cpu": (resource.RLIMIT_CPU, max(1, round(limits.cpu_s))),
        "data": (resource.RLIMIT_DATA, limits.memory_mb << 20),
        "fsize": (resource.RLIMIT_FSIZE, limits.file_mb << 20),
        "nofile": (resource.RLIMIT_NOFILE, limits.open_files),
        "core": (resource.RLIMIT_CORE, 0),
    }
    return {name: (number, _at_most(number, value)) for name, (number, value) in wanted.items()}


def _at_most(number: int, value: int) -> int:
    hard = resource.getrlimit(number)[1]
    return value if hard == resource.RLIM_INFINITY else min(value, hard)


def prlimit_words(limits: CommandLimits) -> list[str]:
    """Return the words to put before a command that has no process outside to set its limits."""
    options = [f"--{name}={value}" for name, (_, value) in _rlimits(limits).items()]
    return [shutil.which("prlimit") or "prlimit", *options]


def limit_process(pid: int, limits: CommandLimits) -> None:
    """Limit a process that is still blocked, and so all processes that it will start. Raises `OSError`.

    Since Linux 5.14 the kernel counts processes within the process's user namespace; before, it counted all
    of the account.
    """
    processes = _at_most(resource.RLIMIT_NPROC, limits.processes)
    for number, value in (*_rlimits(limits).values(), (resource.RLIMIT_NPROC, processes)):
        resource.prlimit(pid, number, (value, value))
