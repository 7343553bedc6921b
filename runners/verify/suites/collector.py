"""Receive the report of a suite's harness through a pipe that can be opened only once.

The harness opens it before any code of the repository is loaded and greets; then its name is gone, and what
it says after its last record does not count. Code under test runs in the same interpreter and can still find
the open descriptor: see docs/verdict.md.
"""

import contextlib
import errno
import json
import os
import select
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

_MAX_BYTES = 64_000_000
_POLL_MS = 50
_RETRY_S = 0.01


class _InThread:
    """A context manager that does `work` in a thread. Its end sets `_stop`, waits and calls `_close`."""

    def __init__(self, work: Callable[[], None]) -> None:
        self._stop = threading.Event()
        self._thread = threading.Thread(target=work, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        self._close()

    def _close(self) -> None:
        raise NotImplementedError


class Collector(_InThread):
    """A pipe at `path` that is read while the block runs. `entries` are the harness's records.

    `complete` says whether the last record has arrived, `replaced` names the functions of the test runner
    that were replaced during the run, and `problem` says what is wrong with the report, or is None.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.entries: list[dict[str, Any]] = []
        self.complete = False
        self.replaced: tuple[str, ...] = ()
        self.problem: str | None = None
        os.mkfifo(path, 0o600)
        self._fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        self._buffer = bytearray()
        self._size = 0
        super().__init__(self._loop)

    def _loop(self) -> None:
        poll = select.poll()
        poll.register(self._fd, select.POLLIN)
        while True:
            ending = self._stop.is_set()
            # While no process has the pipe open for writing, poll returns at once without data.
            if any(event & select.POLLIN for _, event in poll.poll(_POLL_MS)):
                self._take(os.read(self._fd, 65_536))
            elif ending:
                return
            else:
                self._stop.wait(_POLL_MS / 1000)

    def _take(self, data: bytes) -> None:
        if data:
            self.path.unlink(missing_ok=True)
        self._size += len(data)
        if self._size > _MAX_BYTES:
            self.problem = "its report is too long"
            return
        # Only the new data is searched for line ends, because one line may arrive in a thousand parts.
        first, *more = data.split(b"\n")
        self._buffer += first
        for part in more:
            self._record(bytes(self._buffer))
            self._buffer = bytearray(part)

    def _record(self, line: bytes) -> None:
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            record = None
        if self.complete or not isinstance(record, dict):
            self.problem = "something else than the harness wrote into its report"
        elif "end" in record:
            self.complete = True
            self.replaced = tuple(map(str, record.get("replaced") or ()))
            if record["end"] != len(self.entries):
                self.problem = "records of its report are missing or were added"
        elif "hello" not in record:
            self.entries.append(record)

    def _close(self) -> None:
        os.close(self._fd)
        self.path.unlink(missing_ok=True)


class Pipe(_InThread):
    """A pipe at `path` that is removed once the first process has opened it, which reads `content`."""

    def __init__(self, path: Path, content: bytes) -> None:
        self._path = path
        self._content = content
        os.mkfifo(path, 0o600)
        super().__init__(self._feed)

    def _feed(self) -> None:
        while not self._stop.is_set():
            try:
                fd = os.open(self._path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            except OSError as error:
                if error.errno != errno.ENXIO:
                    return
                self._stop.wait(_RETRY_S)  # no process has opened it for reading yet
                continue
            self._path.unlink(missing_ok=True)
            os.set_blocking(fd, True)
            with os.fdopen(fd, "wb") as pipe, contextlib.suppress(BrokenPipeError):
                pipe.write(self._content)
            return

    def _close(self) -> None:
        self._path.unlink(missing_ok=True)
