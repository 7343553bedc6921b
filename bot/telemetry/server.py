"""A small HTTP server beside a process: `/metrics`, `/healthz` and `/readyz`, without a token."""

import json
import logging
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import AF_INET6

from bot.telemetry.health import Health
from gherkin.errors import ScenaristError

log = logging.getLogger(__name__)


class MetricsAddressTaken(ScenaristError):
    """The address for metrics cannot be used."""

    code = "SCN-7019"
    next_step = "Choose another SCENARIST_METRICS_ADDRESS, or stop the program that uses this one."


class _MetricsServer(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, host: str, port: int, metrics: Callable[[], bytes], health: Health) -> None:
        self.metrics = metrics
        self.health = health
        if ":" in host:
            self.address_family = AF_INET6
        super().__init__((host, port), _MetricsHandler)


class _MetricsHandler(BaseHTTPRequestHandler):
    server: _MetricsServer
    # Seconds that a client has to send its request.
    timeout = 10

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        if path == "/metrics":
            self._answer(200, "text/plain; version=0.0.4; charset=utf-8", self.server.metrics())
        elif path == "/healthz":
            self._answer(200, "application/json", b'{"status": "ok"}')
        elif path == "/readyz":
            status, body = self.server.health.report(strict="strict" in query)
            self._answer(status, "application/json", json.dumps(body).encode())
        else:
            self._answer(404, "text/plain", b"There are /metrics, /healthz and /readyz.\n")

    def _answer(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name in the base class
        """Log no requests: there is one every few seconds."""


class TelemetryServer:
    """Serves at `address` (``HOST:PORT``) from a thread. Raises `MetricsAddressTaken`."""

    def __init__(self, address: str, metrics: Callable[[], bytes], health: Health) -> None:
        host, _, port = address.rpartition(":")
        try:
            self._server = _MetricsServer(host.strip("[]"), int(port), metrics, health)
        except (OSError, OverflowError) as error:
            said = getattr(error, "strerror", None) or error
            raise MetricsAddressTaken(f"Nothing can listen at {address}: {said}.") from None
        self.port: int = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, name="telemetry", daemon=True).start()
        log.info("metrics and health are at %s", address)

    def forget(self) -> None:
        """Close the inherited socket in a child process, which would keep the address in use."""
        self._server.socket.close()

    def stop(self) -> None:
        """Stop serving, and free the address."""
        self._server.shutdown()
        self._server.server_close()
