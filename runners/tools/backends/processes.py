"""Commands that run in the background: servers under test, in a private network that a phase's commands
share.
"""

import contextlib
import itertools
import shutil
import subprocess
import sys
import threading
from types import TracebackType
from typing import Self

from runners.sandbox.bubblewrap import Sandbox, SandboxFailed
from runners.sandbox.process import Capture, CommandResult

MAX_COMMANDS = 4
_KEPT_BYTES = 64_000
_STOP_S = 10.0
# A network namespace with nothing in it but its own loopback device, which begins switched off
# (netdevice(7)).
_HOLD = (
    "import fcntl, socket, struct, sys\n"
    "up = struct.pack('16sh', b'lo', 0x1 | 0x8 | 0x40)\n"
    "fcntl.ioctl(socket.socket(), 0x8914, up.ljust(40, b'\\0'))\n"
    "print('up', flush=True)\n"
    "sys.stdin.read()\n"
)


class NoSuchCommand(Exception):
    """There is no background command with that number."""


class _BackgroundCommand:
    """One command in a thread of its own, which lives as long as the command."""

    def __init__(self, sandbox: Sandbox, line: str, seconds: float) -> None:
        self.line = line
        self.output = Capture(_KEPT_BYTES)
        self.result: CommandResult | None = None
        self.failure: SandboxFailed | None = None
        self._cancel = threading.Event()
        self._sandbox = sandbox
        self._limits = sandbox.limits.model_copy(update={"wall_s": seconds})
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self.result = self._sandbox.run(
                ["bash", "-c", self.line], limits=self._limits, cancel=self._cancel, capture=self.output
            )
        except SandboxFailed as error:
            self.failure = error

    def wait(self, seconds: float) -> bool:
        """Return whether it has ended, which is waited for that long."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def stop(self) -> None:
        self._cancel.set()
        self._thread.join(_STOP_S)


class BackgroundCommands:
    """The background commands of one phase; they are stopped when the block ends.

    With the first one, `sandbox` and all later commands in it move into a network of their own: they reach
    each other on 127.0.0.1, and nothing else. `seconds` is how long one may run.
    """

    def __init__(self, sandbox: Sandbox, seconds: float) -> None:
        self._sandbox = sandbox
        self._seconds = seconds
        self._commands: dict[int, _BackgroundCommand] = {}
        self._numbers = itertools.count(1)
        self._holder: subprocess.Popen[bytes] | None = None

    def start(self, line: str) -> int:
        """Start a bash command line; returns its number. Raises `SandboxFailed`."""
        if sum(not command.wait(0) for command in self._commands.values()) >= MAX_COMMANDS:
            raise SandboxFailed(f"There are {MAX_COMMANDS} background commands already. Stop one first.")
        if self._holder is None and not self._sandbox.unsafe:
            self._join_network()
        number = next(self._numbers)
        self._commands[number] = _BackgroundCommand(self._sandbox, line, self._seconds)
        return number

    def poll(self, number: int, seconds: float = 0) -> tuple[str, CommandResult | None]:
        """Return the output so far, and how it ended if it has; waits at most `seconds` for the end.

        Raises `NoSuchCommand`, and `SandboxFailed` for one that could not be started.
        """
        command = self._command(number)
        command.wait(seconds)
        if command.failure is not None:
            raise command.failure
        return command.output.text(), command.result

    def stop(self, number: int) -> str:
        """Stop a command and all it started; returns its output. Raises `NoSuchCommand`."""
        command = self._command(number)
        command.stop()
        return command.output.text()

    def stop_all(self) -> None:
        """Stop every command and all that they started."""
        for command in self._commands.values():
            command.stop()

    def _command(self, number: int) -> _BackgroundCommand:
        try:
            return self._commands[number]
        except KeyError:
            raise NoSuchCommand(f"There is no background command {number}.") from None

    def _join_network(self) -> None:
        """Make the network, held by a process that ends when its standard input does, be it by our death."""
        unshare, nsenter = shutil.which("unshare"), shutil.which("nsenter")
        if unshare is None or nsenter is None:
            raise SandboxFailed("`unshare` and `nsenter` of util-linux are not installed.")
        self._holder = subprocess.Popen(
            [unshare, "--user", "--map-root-user", "--net", sys.executable, "-I", "-c", _HOLD],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={},
        )
        if self._holder.stdout is None or self._holder.stdout.readline() != b"up\n":
            self._leave_network()
            raise SandboxFailed("A network for background commands cannot be made on this machine.")
        # By number, while the holder lives, which it does as long as we do not close its standard input.
        self._sandbox.enter = (
            nsenter,
            "--target",
            str(self._holder.pid),
            "--user",
            "--net",
            "--preserve-credentials",
            "--",
        )

    def _leave_network(self) -> None:
        if self._holder is None:
            return
        for stream in (self._holder.stdin, self._holder.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
        self._holder.wait()
        self._holder = None
        self._sandbox.enter = ()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop_all()
        self._leave_network()
