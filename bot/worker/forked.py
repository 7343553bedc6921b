"""Processes that a fork server starts, used like `subprocess.Popen`."""

import array
import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import IO

from bot.worker.fork_server import TITLE_ROOM


class ForkedProcess:
    """A process that a fork server started: the part of `subprocess.Popen` that is used here.

    `stdin` is its lifeline: when nobody has it open any more, its whole process group is killed.
    """

    def __init__(self, pid: int, lifeline: int, end: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self.stdin: IO[bytes] = os.fdopen(lifeline, "wb", buffering=0)
        self._end = end

    def poll(self) -> int | None:
        """Return the exit status, or None while it runs. If its server was killed, it counts as killed."""
        return self._look(0)

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit status. Raises `subprocess.TimeoutExpired` after `timeout` seconds."""
        status = self._look(timeout)
        if status is None:
            raise subprocess.TimeoutExpired(str(self.pid), timeout or 0.0)
        return status

    def send_signal(self, number: int) -> None:
        """Send it a signal, unless it is known to have ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def _look(self, seconds: float | None) -> int | None:
        if self.returncode is None and select.select([self._end], [], [], seconds)[0]:
            self.returncode = int(os.read(self._end, 16) or -signal.SIGKILL)
            os.close(self._end)
        return self.returncode


class ForkServer:
    """A fork server, which is started when the first process is; see `bot.worker.fork_server`."""

    def __init__(self) -> None:
        self._asked: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def start(
        self, args: Sequence[str], env: Mapping[str, str], output: int, pass_fds: Sequence[int]
    ) -> ForkedProcess:
        """Start ``scenarist args…`` with exactly the environment `env`; it writes to the descriptor `output`.

        It inherits the descriptors `pass_fds` under their numbers. Raises `OSError` if the server cannot be
        started.
        """
        try:
            return self._start(args, env, output, pass_fds)
        except OSError:  # it was killed
            self.close()
            return self._start(args, env, output, pass_fds)

    def close(self) -> None:
        """End the server; the processes that it started are not concerned."""
        if self._asked is not None and self._process is not None:
            self._asked.close()
            self._process.wait()
        self._asked = self._process = None

    def _start(
        self, args: Sequence[str], env: Mapping[str, str], output: int, pass_fds: Sequence[int]
    ) -> ForkedProcess:
        asked = self._asked or self._launch()
        with contextlib.ExitStack() as stack:
            order = stack.enter_context(os.fdopen(os.memfd_create("order"), "wb"))
            order.write(json.dumps({"args": list(args), "env": dict(env)}).encode())
            order.flush()
            order.seek(0)
            held, lifeline = os.pipe()
            stack.callback(os.close, held)
            kept = stack.enter_context(contextlib.ExitStack())
            kept.callback(os.close, lifeline)
            end, told = os.pipe()
            kept.callback(os.close, end)
            stack.callback(os.close, told)
            fds = array.array("i", [order.fileno(), held, output, told, *pass_fds])
            asked.sendmsg(
                [json.dumps(list(pass_fds)).encode()], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fds)]
            )
            answer = asked.recv(32)
            if not answer:
                raise ConnectionResetError("the fork server has ended")
            kept.pop_all()
            return ForkedProcess(int(answer), lifeline, end)

    def _launch(self) -> socket.socket:
        own, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with its:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "bot.worker.fork_server", str(its.fileno()), " " * TITLE_ROOM],
                pass_fds=(its.fileno(),),
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        self._asked = own
        return own
