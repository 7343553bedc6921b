"""Cancel a request to a model at once, and close its connection so that the server stops too."""

import contextlib
import socket
import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from gherkin.errors import Cancelled

T = TypeVar("T")
_LOOK_S = 0.1


class Request(Generic[T]):
    """One running request. Its work passes the response to `opened`, so `run` can shut the connection."""

    def __init__(self, work: Callable[["Request[T]"], T]) -> None:
        self._work = work
        self._responses: list[Any] = []
        self._result: list[T] = []
        self._error: list[BaseException] = []

    def opened(self, response: Any) -> None:
        self._responses.append(response)

    def run(self, cancel: threading.Event | None) -> T:
        """Do the work in a thread and return its result.

        Raises the work's error, or `Cancelled` soon after `cancel` is set. The thread is not waited for
        then: it ends soon, because its connection is shut.
        """
        if cancel is None:
            return self._work(self)
        thread = threading.Thread(target=self._do, name="model-request", daemon=True)
        thread.start()
        while thread.is_alive():
            thread.join(_LOOK_S)
            if cancel.is_set():
                self._shut()
                raise Cancelled
        if self._error:
            raise self._error[0]
        return self._result[0]

    def _do(self) -> None:
        try:
            self._result.append(self._work(self))
        except BaseException as error:
            self._error.append(error)

    def _shut(self) -> None:
        """Shut the socket of the response: closing it would not wake the thread that waits for data."""
        for response in self._responses:
            stream = response.extensions.get("network_stream")
            connection = stream.get_extra_info("socket") if stream is not None else None
            if connection is not None:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
