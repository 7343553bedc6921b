"""A stand-in for a model server in trouble: it speaks both APIs over a real socket, streaming, and misbehaves
on order."""

import contextlib
import json
from collections.abc import Callable, Iterator, Sequence
from http.server import BaseHTTPRequestHandler
from typing import Literal

from runners.models.chat import Reply
from tests.standins.chat_server import chat_chunks
from tests.standins.messages_server import message_events
from tests.standins.serving import LoopbackServer, QuietHandler
from tests.support.waiting import dawdle

Trouble = (
    int  # an error status
    | Literal["slow", "silent", "half-open", "cut", "html", "json", "empty", "error", "nonsense", "fine"]
)


class TroubledServer(LoopbackServer):
    """Answers request number n with ``troubles[n]``, and as the last one from then on.

    `asked` is called when a request has arrived, and `requests` counts them. A slow answer takes `pause_s`
    before each part.
    """

    def __init__(
        self,
        reply: Reply,
        troubles: Sequence[Trouble],
        *,
        retry_after: str = "0",
        pause_s: float = 0,
        asked: Callable[[], object] = lambda: None,
    ) -> None:
        self.reply = reply
        self.troubles = list(troubles)
        self.retry_after = retry_after
        self.pause_s = pause_s
        self.asked = asked
        self.requests = 0
        super().__init__(self._handler())

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        owner = self

        class Handler(QuietHandler):
            protocol_version = "HTTP/1.0"  # a stream ends with its connection

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                trouble = owner.troubles[min(owner.requests, len(owner.troubles) - 1)]
                owner.requests += 1
                owner.asked()
                if trouble == "silent":
                    self._until_the_client_goes()
                    return
                anthropic = self.path.endswith("/messages")
                if isinstance(trouble, int):
                    self._begin(trouble, "application/json", ("retry-after", owner.retry_after))
                    error = {"type": "overloaded_error", "message": "The engine is overloaded"}
                    self.wfile.write(json.dumps({"type": "error", "error": error}).encode())
                elif trouble == "html":
                    self._begin(200, "text/html")
                    self.wfile.write(b"<html><body><h1>502 Bad Gateway</h1></body></html>")
                elif trouble == "json":
                    self._begin(200, "application/json")
                    self.wfile.write(b'{"message": "streaming is off"}')
                else:
                    self._begin(200, "text/event-stream")
                    for part in _parts(owner.reply, trouble, anthropic, body):
                        self.wfile.write(part)
                        self.wfile.flush()
                        dawdle(owner.pause_s)
                    if trouble == "half-open":
                        self._until_the_client_goes()

            def _until_the_client_goes(self) -> None:
                with contextlib.suppress(ConnectionError):
                    self.connection.recv(1)

            def _begin(self, status: int, kind: str, *headers: tuple[str, str]) -> None:
                self.send_response(status)
                self.send_header("Content-Type", kind)
                for name, value in headers:
                    self.send_header(name, value)
                self.end_headers()

        return Handler


def _parts(reply: Reply, trouble: Trouble, anthropic: bool, body: dict[str, str]) -> Iterator[bytes]:
    if trouble == "empty":
        return
    events = list(message_events(reply, body) if anthropic else chat_chunks(reply))
    half = len(events) // 2
    for event in events[:half] if trouble in ("cut", "half-open", "error", "nonsense") else events:
        yield _event(event, anthropic)
    if trouble == "nonsense":
        yield b"data: {half a chu\n\n"
    elif trouble == "error":
        error = {"type": "overloaded_error", "message": "Overloaded", "code": 500}
        yield _event({"type": "error", "error": error} if anthropic else {"error": error}, anthropic)
    elif trouble in ("fine", "slow") and not anthropic:
        yield b"data: [DONE]\n\n"


def _event(event: dict[str, object], anthropic: bool) -> bytes:
    head = f"event: {event['type']}\n" if anthropic else ""
    return f"{head}data: {json.dumps(event)}\n\n".encode()
