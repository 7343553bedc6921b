"""Run one child process, keep a limited amount of its output, and end all of its processes."""

import contextlib
import ctypes
import os
import select
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from functools import cache
from types import TracebackType
from typing import Self

from gherkin.values import Frozen
from runners.counted import count
from runners.sandbox.watch import DiskWatch, MemoryWatch, Watch

_POLL_S = 0.05
_GRACE_S = 2.0
_CHUNK = 65_536
_UMASK = 0o022


class CommandResult(Frozen):
    """How a command ended.

    `exit_code` is None when it was stopped (timed out, cancelled, too much disk or memory), and 128 + n when
    signal n ended it. `output` is stdout and stderr together, cut in the middle when `truncated`, and
    `output_bytes` is the size before cutting. `duration_s` and `cpu_s` are in seconds; `cpu_s` counts all
    processes of the command that were waited for. `memory_mb` (MiB) is the largest resident size of one of
    them. `disk_mb` (MiB) and `disk_files` are the size of the workspace at its last measurement (0: it was
    not measured). `disk_full` and `memory_full` say that the command was stopped because it exceeded a limit.
    """

    exit_code: int | None
    output: str
    truncated: bool = False
    timed_out: bool = False
    cancelled: bool = False
    duration_s: float = 0.0
    cpu_s: float = 0.0
    memory_mb: float = 0.0
    output_bytes: int = 0
    disk_mb: float = 0.0
    disk_files: int = 0
    disk_full: bool = False
    memory_full: bool = False


class Streams(Frozen):
    """The file descriptors of a command's standard input and standard error, or constants of `subprocess`.

    Unless they are set, a command reads nothing, and its errors are part of its output.
    """

    stdin: int = subprocess.DEVNULL
    stderr: int = subprocess.STDOUT


class Capture:
    """The first and the last bytes of a stream, `limit` of them in all."""

    def __init__(self, limit: int) -> None:
        self._head_limit = limit - limit // 2
        self._tail_limit = limit // 2
        self._head = bytearray()
        self._tail = bytearray()
        self.lost = 0

    @property
    def total(self) -> int:
        """Return the number of bytes that were added, kept or not."""
        return len(self._head) + len(self._tail) + self.lost

    def add(self, data: bytes) -> None:
        room = self._head_limit - len(self._head)
        self._head += data[:room]
        self._tail += data[room:]
        excess = len(self._tail) - self._tail_limit
        if excess > 0:
            del self._tail[:excess]
            self.lost += excess

    def text(self) -> str:
        """Return the kept bytes as UTF-8 with replacement; a line in the middle says how many are missing."""
        if not self.lost:
            return (self._head + self._tail).decode(errors="replace")
        note = f"\n[… {self.lost:,} bytes cut from the middle …]\n"
        return self._head.decode(errors="replace") + note + self._tail.decode(errors="replace")


@cache
def _adopt_orphans() -> None:
    """Become the parent of orphaned descendants, so that `_reap` can read what they used.

    PR_SET_CHILD_SUBREAPER, prctl(2).
    """
    ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)


def hide_from_same_user() -> None:
    """Keep other processes of this user from reading this process's environment and memory.

    It is for a worker whose commands have no sandbox. Processes with CAP_SYS_PTRACE can still read both, and
    a started command is readable again. PR_SET_DUMPABLE, prctl(2); ptrace(2) says what it protects.
    """
    ctypes.CDLL(None).prctl(4, 0, 0, 0, 0)


class Running:
    """A started command, as a context manager that kills its whole process group when the block ends.

    If the command runs in a pid namespace, set `init` to a pidfd and `init_pid` to the number of the
    namespace's first process: when that process is killed, the kernel ends all others in the namespace. The
    pidfd is closed at the end. The command runs with umask 022, whatever the umask of this process is.
    `streams` says what the command reads and where its errors go. Raises `OSError` when `argv` cannot be
    started.
    """

    def __init__(
        self,
        argv: Sequence[str],
        *,
        cwd: str,
        env: Mapping[str, str],
        pass_fds: Sequence[int] = (),
        streams: Streams = Streams(),  # noqa: B008 - it is immutable
    ) -> None:
        self._started = time.monotonic()
        self.init: int | None = None
        self.init_pid = 0
        _adopt_orphans()
        # `--die-with-parent` ends bwrap with the thread that started it, so this must be the waiting thread.
        self._process = subprocess.Popen(
            argv,
            cwd=cwd,
            env=env,
            pass_fds=pass_fds,
            stdin=streams.stdin,
            stdout=subprocess.PIPE,
            stderr=streams.stderr,
            bufsize=0,
            start_new_session=True,
            umask=_UMASK,
        )
        self._exit = os.pidfd_open(self._process.pid)
        stdout = self._process.stdout
        assert stdout is not None  # noqa: S101 - it is a pipe, asked for above
        self._stdout = stdout
        os.set_blocking(stdout.fileno(), False)

    def wait(
        self,
        wall_s: float,
        capture: Capture,
        cancel: threading.Event | None,
        disk: DiskWatch | None = None,
        memory: MemoryWatch | None = None,
    ) -> CommandResult:
        """Wait until the command ends, then kill its remaining processes and return the result.

        The command is stopped `wall_s` seconds after its start, when `cancel` is set, or when `disk` or
        `memory` exceeds its limit. Output is added to `capture`.
        """
        watches: dict[str, Watch] = {}
        if disk is not None:
            watches["disk full"] = disk
        if memory is not None:
            watches["memory full"] = memory
        for watch in watches.values():
            watch.root_pid = self.init_pid or None
        ended = self._watch(capture, self._started + wall_s, cancel, watches)
        self._kill()
        self._drain(capture, time.monotonic() + _GRACE_S)
        code, cpu_s, memory_mb = self._reap()
        stopped = ended != "exited"
        if stopped and ended != "cancelled":
            count("command stopped", ended)
        return CommandResult(
            exit_code=None if stopped else code if code >= 0 else 128 - code,
            output=capture.text(),
            truncated=capture.lost > 0,
            timed_out=ended == "timed out",
            cancelled=ended == "cancelled",
            disk_full=ended == "disk full",
            disk_mb=round(disk.used_mb, 1) if disk else 0.0,
            disk_files=disk.files if disk else 0,
            memory_full=ended == "memory full",
            duration_s=round(time.monotonic() - self._started, 3),
            cpu_s=round(cpu_s, 3),
            memory_mb=round(memory_mb, 1),
            output_bytes=capture.total,
        )

    def _reap(self) -> tuple[int, float, float]:
        """Collect the ended processes; returns the exit code, the processor seconds and the memory in MiB."""
        _, status, own = os.wait4(self._process.pid, 0)
        self._process.returncode = os.waitstatus_to_exitcode(status)
        used = [own]
        if self.init is not None:
            # The launcher ends without waiting for this process, so it has become our child.
            with contextlib.suppress(ChildProcessError):
                used.append(os.wait4(self.init_pid, 0)[2])
        seconds = sum(usage.ru_utime + usage.ru_stime for usage in used)
        # A process starts with the size of its parent, so the launcher's memory would be this process's own.
        return self._process.returncode, seconds, used[-1].ru_maxrss / 1024

    def _watch(
        self,
        capture: Capture,
        deadline: float,
        cancel: threading.Event | None,
        watches: Mapping[str, Watch],
    ) -> str:
        """Wait until the command ends or must be stopped; returns the reason in words."""
        poll = select.poll()
        poll.register(self._exit, select.POLLIN)
        poll.register(self._stdout, select.POLLIN)
        while True:
            left = max(0.0, deadline - time.monotonic())
            ready = {fd for fd, _ in poll.poll(1000 * (min(left, _POLL_S) if cancel or watches else left))}
            if self._stdout.fileno() in ready and not self._read(capture):
                poll.unregister(self._stdout)
            if self._exit in ready:
                return "exited"
            if cancel is not None and cancel.is_set():
                return "cancelled"
            for what, watch in watches.items():
                if watch.exceeded():
                    return what
            if time.monotonic() >= deadline:
                return "timed out"

    def _read(self, capture: Capture) -> bool:
        """Read the available output; returns False at the end of the stream."""
        try:
            data = os.read(self._stdout.fileno(), _CHUNK)
        except BlockingIOError:
            return True
        capture.add(data)
        return bool(data)

    def _drain(self, capture: Capture, deadline: float) -> None:
        """Read the rest of the output until `deadline`; a process outside the group may keep it open."""
        poll = select.poll()
        poll.register(self._stdout, select.POLLIN)
        while (left := deadline - time.monotonic()) > 0:
            if not poll.poll(1000 * left) or not self._read(capture):
                return

    def _kill(self) -> None:
        if self.init is not None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self.init, signal.SIGKILL)
        if self._process.returncode is None:  # not reaped, so no other process has its number
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
        if self.init is not None:
            # The pidfd becomes readable when the namespace is empty, so nothing writes to the workspace then.
            poll = select.poll()
            poll.register(self.init, select.POLLIN)
            poll.poll(10_000)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._kill()
        self._process.wait()
        self._stdout.close()
        os.close(self._exit)
        if self.init is not None:
            os.close(self.init)
