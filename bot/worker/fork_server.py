"""A process that has imported the bot, and forks itself to start the bot's other processes.

Importing takes a second of CPU time and 70 MB for each process. Forked ones share both.

The server holds no secret. The environment of a new process is in a file that only the new process reads, so
that a worker without credentials has no other worker's credentials in its memory. Forked processes share
the layout of their memory and the seed of their hashes.
"""

import array
import contextlib
import gc
import json
import os
import select
import signal
import socket
import sys
import tempfile
import time
from ctypes import memmove
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

# A request is the numbers that a new process gives to inherited descriptors. The descriptors sent with it:
# the file with its arguments and environment, its lifeline, its output, where its end is told, the inherited.
MOST_FDS = 16
_FIXED = 4
_MOST_BYTES = 4096
# Received descriptors are moved up here before they get their numbers.
_FREE_FD = 200
# Kills the whole process group when nobody has the lifeline (standard input) open for writing any more.
_GUARD = "trap '' HUP INT TERM; read -r _; kill -KILL 0"
# The server's command line has an argument of this length, over which a forked process writes its own.
TITLE_ROOM = 400


class _ForkRequest(NamedTuple):
    numbers: list[int]
    fds: list[int]


# Nothing among these starts a thread.
_IMPORTED = (
    *("celery.apps.worker", "celery.beat", "celery.concurrency.prefork", "kombu.transport.redis"),
    *("uvicorn.lifespan.on", "uvicorn.loops.uvloop", "uvicorn.protocols.http.httptools_impl"),
    *("bot.cli.operate.serve", "bot.cli.operate.worker", "bot.worker.worker", "bot.worker.untrusted"),
)


def preload() -> None:
    """Import what the web app and the workers need."""
    # prometheus-client decides at its import whether processes share their numbers. All processes that are
    # forked here do; it notices that they are other processes, and uses the folder in their environment.
    with tempfile.TemporaryDirectory(prefix="scenarist-") as folder:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
        for name in _IMPORTED:
            import_module(name)
    from runners.models.vllm import preload

    preload()


def main() -> None:
    """Serve on the socket whose descriptor is the first argument; run the command in each forked process."""
    preload()
    gc.collect()
    gc.freeze()
    words = _serve(socket.socket(fileno=int(sys.argv[1])))
    if words is None:
        return
    sys.argv = ["scenarist", *words]
    gc.enable()
    from bot.cli.app import main as run

    run()


def _serve(asked: socket.socket) -> list[str] | None:
    """Fork as requests ask, until nobody can ask any more: None. In a forked process: its arguments."""
    polled = select.poll()
    polled.register(asked, select.POLLIN)
    told: dict[int, tuple[int, int]] = {}  # descriptor of a child -> its id, where its end is told
    while True:
        for fd, _ in polled.poll():
            if fd in told:
                polled.unregister(fd)
                pid, end = told.pop(fd)
                _tell(end, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
                os.close(fd)
                continue
            request = _receive(asked)
            if request is None:
                return None
            pid = os.fork()
            if pid == 0:
                for other, (_, end) in told.items():
                    os.close(other)
                    os.close(end)
                asked.close()
                return _become(request)
            child = os.pidfd_open(pid)
            polled.register(child, select.POLLIN)
            told[child] = pid, request.fds[3]
            for each in (*request.fds[:3], *request.fds[_FIXED:]):
                os.close(each)
            asked.send(str(pid).encode())


def _tell(end: int, status: int) -> None:
    with contextlib.suppress(BrokenPipeError):
        os.write(end, str(status).encode())
    os.close(end)


def _receive(asked: socket.socket) -> _ForkRequest | None:
    size = array.array("i").itemsize
    data, more, _, _ = asked.recvmsg(_MOST_BYTES, socket.CMSG_LEN(MOST_FDS * size))
    if not data:
        return None
    fds = array.array("i")
    for _, _, sent in more:
        fds.frombytes(sent[: len(sent) - len(sent) % size])
    return _ForkRequest(json.loads(data), list(fds))


def _become(request: _ForkRequest) -> list[str]:
    """Make this forked process what the request asks for; returns the arguments of its command."""
    import fcntl

    os.setsid()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    moved = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, _FREE_FD) for fd in request.fds]
    for fd in request.fds:
        os.close(fd)
    told, lifeline, output, end, *inherited = moved
    os.close(end)  # the server tells it
    for fd, number in [(output, 1), (output, 2), *zip(inherited, request.numbers, strict=True)]:
        os.dup2(fd, number)
    _guard(lifeline)
    for fd in (lifeline, output, *inherited):
        os.close(fd)
    with os.fdopen(told, "rb") as file:
        order = json.load(file)
    os.environ.clear()
    os.environ.update(order["env"])
    time.tzset()
    tempfile.tempdir = None
    words: list[str] = order["args"]
    _show(words)
    return words


def _guard(lifeline: int) -> None:
    """Leave a guard in this process group that is not this process's child."""
    first = os.fork()
    if first:
        os.waitpid(first, 0)
        return
    if os.fork():
        os._exit(0)
    null = os.open(os.devnull, os.O_WRONLY)
    for fd, number in ((lifeline, 0), (null, 1), (null, 2)):
        os.dup2(fd, number)
    os.closerange(3, 1024)
    os.execv("/bin/sh", ["/bin/sh", "-c", _GUARD])  # noqa: S606 - a constant


def _show(words: list[str]) -> None:
    """Show `words` as this process's arguments where processes are listed (proc(5): cmdline)."""
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    start, end = int(fields[45]), int(fields[46])  # arg_start and arg_end
    text = b"\0".join(word.encode() for word in (sys.executable, "-m", "bot", *words))
    memmove(start, text[: end - start - 1].ljust(end - start, b"\0"), end - start)


if __name__ == "__main__":
    gc.disable()  # as in `bot.__main__`
    main()
