"""An ASGI app that only checks the HMAC of the body: the fastest possible receiver, for comparison."""

import hashlib
import hmac
import os
from typing import Any

SECRET = os.environ["BENCH_SECRET"].encode()


async def app(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] != "http":
        return
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    expected = b"sha256=" + hmac.new(SECRET, body, hashlib.sha256).hexdigest().encode()
    given = dict(scope["headers"]).get(b"x-hub-signature-256", b"")
    status = 202 if hmac.compare_digest(expected, given) else 401
    await send({"type": "http.response.start", "status": status, "headers": []})
    await send({"type": "http.response.body", "body": b""})
