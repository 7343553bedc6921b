"""The local page of `scenarist setup github`: a form for GitHub, the way back from there, and the webhook.

It listens on this machine alone. Its address holds a secret, so that whoever can reach the port (the webhook
is open to the world) can neither see the form nor bring in an App of their own.
"""

import hmac
import json
import secrets
import socket
import threading
import time
from collections.abc import Callable, Mapping
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Empty, SimpleQueue
from typing import Any
from urllib.parse import parse_qs, urlsplit

from bot.forges.github.manifest import NewApp
from bot.forges.github.webhooks.receiver import signature_valid
from bot.worker.processes import url_of
from gherkin.errors import ScenaristError
from runners.serving import ServedInThread

HOOK = "/webhooks/github"
_MOST_BYTES = 1_000_000
_MOST_DELIVERIES = 100
_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>{title} · Scenarist</title>
<style>:root{{color-scheme:light dark}}
body{{font:16px/1.5 system-ui;max-width:40em;margin:3em auto;padding:0 1em}}
button{{font:inherit;padding:.5em 1em}}</style><h1>{title}</h1>
{body}
</html>
"""


class ManifestPage(ServedInThread):
    """Serves the form until GitHub sends the browser back with a code; ``with`` starts and ends it.

    `accept(code)` exchanges the code. Its error is shown on the page and raised by `wait_for_app`.
    """

    def __init__(self, listener: socket.socket, accept: Callable[[str], NewApp]) -> None:
        self._accept = accept
        self._state = secrets.token_urlsafe(24)
        self._path = f"/setup/{secrets.token_urlsafe(24)}"
        self._result: SimpleQueue[NewApp | ScenaristError | OSError] = SimpleQueue()
        self._lock = threading.Lock()
        self._taken = False
        self._deliveries: list[tuple[str, bytes]] = []
        self._arrived = threading.Condition(self._lock)
        self._form = ""
        self._target = ""
        server = ThreadingHTTPServer(("", 0), self._handler(), bind_and_activate=False)
        server.daemon_threads = True
        server.socket.close()
        server.socket = listener
        server.server_address = listener.getsockname()[:2]
        self._server = server
        self.root = url_of(listener)

    @property
    def url(self) -> str:
        """Return the address of the form."""
        return f"{self.root}{self._path}"

    @property
    def redirect_url(self) -> str:
        """Return where GitHub sends the browser."""
        return f"{self.url}/made"

    @property
    def state(self) -> str:
        """Return the value that GitHub gives back with the code."""
        return self._state

    def show(self, target: str, manifest: Mapping[str, Any]) -> None:
        """Offer the form that posts `manifest` to `target`."""
        self._target = target
        self._form = (
            f"<p>GitHub asks for the App's name and shows its permissions. It then sends you back here.</p>"
            f'<form method="post" action="{escape(target)}">'
            f'<input type="hidden" name="manifest" value="{escape(json.dumps(manifest))}">'
            f"<button>Go on to GitHub</button></form>"
        )

    def wait_for_app(self, seconds: float) -> NewApp | None:
        """Return the App once the browser came back, or None after `seconds`. Raises what `accept` raised."""
        try:
            found = self._result.get(timeout=seconds)
        except Empty:
            return None
        if not isinstance(found, NewApp):
            raise found
        return found

    def wait_for_delivery(self, secret: str, seconds: float) -> bool:
        """Return whether a delivery that is signed with `secret` has arrived, or arrives within `seconds`."""
        until = time.monotonic() + seconds
        with self._arrived:
            while not any(
                signature_valid(secret.encode(), body, signature.encode("latin-1"))
                for signature, body in self._deliveries
            ):
                left = until - time.monotonic()
                if left <= 0 or not self._arrived.wait(left):
                    return False
        return True

    def _came_back(self, query: str) -> tuple[int, str, str]:
        """Answer the browser that GitHub sent back: status, title and text."""
        given = {name: values[0] for name, values in parse_qs(query).items()}
        if not hmac.compare_digest(given.get("state", "").encode(), self._state.encode()):
            return 400, "This is not the expected answer", _paragraph("Begin again at the form.")
        code = given.get("code", "")
        with self._lock:
            if self._taken or not code:
                return 400, "There is nothing to do", _paragraph("The code was used already, or is missing.")
            self._taken = True
        try:
            app = self._accept(code)
        except (ScenaristError, OSError) as error:
            self._result.put(error)
            return 502, "The App could not be set up", _paragraph(str(error))
        self._result.put(app)
        link = f'<p><a href="{escape(app.install_url)}">Install it on your repositories</a></p>'
        return 200, f"The App {app.slug} is there", link + _paragraph("Then go on in the terminal.")

    def _receive(self, signature: str, body: bytes) -> None:
        with self._arrived:
            self._deliveries = [*self._deliveries[-_MOST_DELIVERIES:], (signature, body)]
            self._arrived.notify_all()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        page = self

        class ManifestHandler(BaseHTTPRequestHandler):
            timeout = 30  # seconds without a byte, after which a connection is closed

            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                if hmac.compare_digest(parts.path.encode(), page._path.encode()):
                    self._answer(200, "Make a GitHub App for Scenarist", page._form)
                elif hmac.compare_digest(parts.path.encode(), f"{page._path}/made".encode()):
                    self._answer(*page._came_back(parts.query))
                elif parts.path == "/healthz":
                    self._answer(200, "Set-up", "")
                else:
                    self._answer(404, "There is no such page", "")

            def do_POST(self) -> None:
                size = self.headers.get("Content-Length", "")
                if urlsplit(self.path).path != HOOK:
                    self._answer(404, "There is no such page", "")
                elif not size.isdecimal() or int(size) > _MOST_BYTES:
                    self._answer(413, "Too large", "")
                else:
                    page._receive(self.headers.get("X-Hub-Signature-256", ""), self.rfile.read(int(size)))
                    self._answer(202, "Stored", "")

            def _answer(self, status: int, title: str, body: str) -> None:
                data = _PAGE.format(title=escape(title), body=body).encode()
                self.send_response(status)
                forms = f"'self' {_origin(page._target)}".strip()
                policy = f"default-src 'none'; style-src 'unsafe-inline'; form-action {forms}"
                for name, value in {
                    "Content-Type": "text/html; charset=utf-8",
                    "Content-Length": str(len(data)),
                    "Content-Security-Policy": f"{policy}; frame-ancestors 'none'; base-uri 'none'",
                    "Referrer-Policy": "no-referrer",
                    "Cache-Control": "no-store",
                    "X-Content-Type-Options": "nosniff",
                }.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
                """Write nothing: the path of the form is a secret."""

        return ManifestHandler


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else ""


def _paragraph(text: str) -> str:
    return f"<p>{escape(text)}</p>"
