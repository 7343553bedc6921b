"""A server that runs in a thread while a block of code is executed."""

import threading
from socketserver import BaseServer
from types import TracebackType
from typing import Self

_POLL_S = 0.1


class ServedInThread:
    """A context manager that serves `_server`, which a subclass sets, in a thread until the block ends."""

    _server: BaseServer

    def __enter__(self) -> Self:
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": _POLL_S}, daemon=True
        )
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
