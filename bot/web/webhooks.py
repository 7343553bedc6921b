"""Webhooks: deliveries are checked, stored and answered.

They go past the framework, since they are most of the load.
"""

import json
import logging
import time
from collections.abc import Mapping
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from bot.forges.events import Ignored
from bot.forges.receiver import PayloadInvalid, Receiver
from bot.intake.deliveries import Delivery
from bot.intake.inbox import Inbox
from bot.storage.store import new_id
from bot.telemetry import metrics
from bot.web.http.refusals import error_body

log = logging.getLogger(__name__)

PREFIX = "/webhooks/"
_JSON = [(b"content-type", b"application/json"), (b"x-content-type-options", b"nosniff")]


def _body(status: str) -> bytes:
    return json.dumps({"status": status}).encode()


_IGNORED = _body("ignored")
_STORED = _body("stored")
_KNOWN = _body("known")


# The outcome of a delivery by the status of its answer; what was taken says it itself.
_OUTCOMES = {
    400: "invalid",
    401: "not authentic",
    404: "unknown forge",
    405: "invalid",
    413: "too large",
    415: "invalid",
    503: "not stored",
}


class Webhooks:
    """The ASGI app of everything below `/webhooks/`.

    `receivers` are the forges' by name; one without a secret answers 404.
    """

    def __init__(self, inbox: Inbox, receivers: Mapping[str, Receiver], max_body_bytes: int) -> None:
        self._inbox = inbox
        self._receivers = {name: each for name, each in receivers.items() if each.secured}
        self._max_body_bytes = max_body_bytes
        self._counters: dict[tuple[str, str], Any] = {}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        try:
            status, body = await self._webhook(scope, receive)
        except Exception:
            log.exception("a delivery could not be taken")
            status, body = 503, error_body("SCN-1205", "The delivery could not be stored. Redeliver it.")
        self._count(scope["path"][len(PREFIX) :], status, body)
        await send({"type": "http.response.start", "status": status, "headers": _JSON})
        await send({"type": "http.response.body", "body": body})

    def _count(self, forge: str, status: int, body: bytes) -> None:
        outcome = _OUTCOMES.get(status) or json.loads(body)["status"]
        name = forge if forge in self._receivers else metrics.OTHER
        counter = self._counters.get((name, outcome))
        if counter is None:
            counter = self._counters[name, outcome] = metrics.deliveries.labels(name, outcome)
        counter.inc()

    async def _webhook(self, scope: Any, receive: Any) -> tuple[int, bytes]:
        forge = scope["path"][len(PREFIX) :]
        receiver = self._receivers.get(forge)
        if receiver is None:
            return 404, error_body("SCN-1200", "No webhook secret is configured for this forge.")
        if scope["method"] != "POST":
            return 405, error_body("SCN-1206", "A delivery was not a POST request.")
        headers: dict[bytes, bytes] = dict(scope["headers"])
        body = await self._receive(headers, receive)
        if body is None:
            return 413, error_body("SCN-1203", f"The body is over {self._max_body_bytes:,} bytes.")
        if not receiver.is_authentic(headers, body, time.time()):
            return 401, error_body("SCN-1201", "The signature does not match: check the webhook secret.")
        if body.startswith(b"payload="):
            return 415, error_body("SCN-1208")
        name = receiver.name(headers, body)
        try:
            found = receiver.read(name.event, body)
        except PayloadInvalid as error:
            return 400, error_body("SCN-1202", f"The payload cannot be read: {str(error)[:200]}")
        if isinstance(found, Ignored):
            return 202, _IGNORED
        if not name.key or not name.event:
            return 400, error_body("SCN-1204", f"{receiver.needs} are required.")
        delivery = Delivery(id=new_id(), forge=forge, guid=name.key, event=name.event, body=body)
        try:
            new = await self._inbox.put(delivery)
        except SQLAlchemyError:
            return 503, error_body("SCN-1205", "The delivery could not be stored. Redeliver it.")
        return 202, _STORED if new else _KNOWN

    async def _receive(self, headers: Mapping[bytes, bytes], receive: Any) -> bytes | None:
        """Return the whole body, or None when it is too large; never holds more than the limit."""
        try:
            announced = int(headers.get(b"content-length", b"0"))
        except ValueError:
            announced = 0
        if announced > self._max_body_bytes:
            return None
        parts: list[bytes] = []
        size = 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return b"".join(parts)
            part = message.get("body", b"")
            size += len(part)
            if size > self._max_body_bytes:
                return None
            parts.append(part)
            if not message.get("more_body"):
                return parts[0] if len(parts) == 1 else b"".join(parts)
