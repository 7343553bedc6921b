"""A server that speaks over its standard input and output, one message a line, in the sandbox.

https://modelcontextprotocol.io/specification/2025-11-25/basic/transports#stdio. The sandbox has a pid
namespace of its own: when it ends, every process that the server started ends with it.
"""

import json
import os
import queue
import select
import threading
import time
from collections.abc import Iterator, Sequence

from runners.policy.plaintext import one_line
from runners.sandbox.bubblewrap import Sandbox, SandboxFailed
from runners.sandbox.process import Capture, Streams
from runners.tools.mcp.session import MAX_BYTES, McpFailed, RpcMessage

_POLL_S = 0.1
_ERRORS_KEPT = 2_000
_CHUNK = 65_536
_STOP_S = 20.0


class _Messages(Capture):
    """Splits the output of a server into messages; other lines are dropped.

    If more than `most` bytes arrive between two requests, `flooded` is set and `stop` is called.
    """

    def __init__(self, most: int, stop: threading.Event) -> None:
        super().__init__(_ERRORS_KEPT)
        self._most = most
        self._stop = stop
        self._since = 0
        self._rest = bytearray()
        self.flooded = False
        self.found: queue.SimpleQueue[RpcMessage] = queue.SimpleQueue()

    def begin(self) -> None:
        """Count from here: a new request is sent."""
        self._since = 0

    def add(self, data: bytes) -> None:
        super().add(data)
        self._since += len(data)
        if self._since > self._most:
            self.flooded = True
            self._stop.set()
            self._rest.clear()
            return
        self._rest += data
        if b"\n" not in data:
            return
        *lines, rest = self._rest.split(b"\n")
        self._rest = bytearray(rest)
        for line in lines:
            try:
                message = json.loads(line)
            except (ValueError, RecursionError):
                continue
            if isinstance(message, dict):
                self.found.put(message)


class StdioServer:
    """Starts `command` in `sandbox` and talks to it; `cancel` ends waiting for an answer.

    `most` is how many bytes it may send between two requests.
    """

    def __init__(
        self, sandbox: Sandbox, command: Sequence[str], cancel: threading.Event, most: int = MAX_BYTES
    ) -> None:
        self._sandbox = sandbox
        self._command = command
        self._cancel = cancel
        self._stop = threading.Event()
        self._output = _Messages(most, self._stop)
        self._errors = Capture(_ERRORS_KEPT)
        self._failure = ""
        self._read, self._write = os.pipe()
        os.set_blocking(self._write, False)
        # bwrap ends with the thread that started it, so this one lives as long as the server.
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def exchange(self, message: RpcMessage, seconds: float) -> Iterator[RpcMessage]:
        """Send a request and yield messages until `seconds` are over. Raises `McpFailed`."""
        deadline = time.monotonic() + seconds
        self._output.begin()
        self._send(message, deadline, seconds)
        while True:
            try:
                yield self._output.found.get(timeout=max(0.0, min(_POLL_S, deadline - time.monotonic())))
                continue
            except queue.Empty:
                self._check(deadline, seconds)

    def tell(self, message: RpcMessage, seconds: float) -> None:
        """Send a message that has no answer. Raises `McpFailed`."""
        self._send(message, time.monotonic() + seconds, seconds)

    def revision(self, agreed: str) -> None:
        """Do nothing: over stdio the revision is not repeated."""

    def close(self) -> None:
        """End the server and every process that it started."""
        self._stop.set()
        self._thread.join(_STOP_S)
        os.close(self._write)

    def _check(self, deadline: float, seconds: float) -> None:
        """Raise `McpFailed` if no answer can come any more."""
        if self._output.flooded:
            raise McpFailed("sent more than one answer may hold, and was stopped")
        if self._cancel.is_set():
            raise McpFailed("was stopped with the run")
        if not self._thread.is_alive() and self._output.found.empty():
            raise McpFailed(self._failure or "ended")
        if time.monotonic() >= deadline:
            raise McpFailed(f"did not answer within {max(0.0, seconds):.0f} s")

    def _send(self, message: RpcMessage, deadline: float, seconds: float) -> None:
        data = memoryview(json.dumps(message, ensure_ascii=True).encode() + b"\n")
        while data:
            self._check(deadline, seconds)
            if not select.select([], [self._write], [], _POLL_S)[1]:
                continue
            try:
                data = data[os.write(self._write, data[:_CHUNK]) :]
            except BlockingIOError:
                continue
            except BrokenPipeError:
                self._thread.join(_STOP_S)

    def _run(self) -> None:
        errors, errors_end = os.pipe()
        reader = threading.Thread(target=self._read_errors, args=(errors,), daemon=True)
        reader.start()
        streams = Streams(stdin=self._read, stderr=errors_end)
        try:
            result = self._sandbox.run(
                self._command, cancel=self._stop, capture=self._output, streams=streams
            )
            ended = f"ended with status {result.exit_code}" if result.exit_code is not None else "was stopped"
        except SandboxFailed as error:
            ended = f"could not be started: {error.message.rstrip('.')}"
        os.close(errors_end)
        os.close(self._read)
        reader.join(_STOP_S)
        said = self._errors.text().strip().splitlines()[-1:]
        self._failure = f"{ended}: {one_line(said[0])}" if said else ended

    def _read_errors(self, descriptor: int) -> None:
        while data := os.read(descriptor, _CHUNK):
            self._errors.add(data)
        os.close(descriptor)
