"""The web app: webhooks, health, the pages of runs. Nothing slow happens in a request."""

import hmac
import json
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import jinja2
import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from bot.forges.events import Ignored
from bot.forges.receiver import PayloadInvalid, Receiver
from bot.intake.deliveries import Deliveries, Delivery
from bot.intake.inbox import Inbox
from bot.log.state import fold
from bot.runs.control import RunUnknown, control_run
from bot.storage.store import Store, new_id
from gherkin.errors import ScenaristError

log = logging.getLogger(__name__)

_PREFIX = "/webhooks/"
# What is announced as JSON is not to be taken for anything else.
_NOSNIFF = (b"x-content-type-options", b"nosniff")
_JSON = [(b"content-type", b"application/json"), _NOSNIFF]


def _body(status: str, **more: str) -> bytes:
    return json.dumps({"status": status, **more}).encode()


_IGNORED = _body("ignored")
_STORED = _body("stored")
_KNOWN = _body("known")


# How a request can be refused, and what to do: codes of `docs/errors.md`.
REFUSALS = {
    "SCN-1200": (
        "No webhook secret is configured for this forge.",
        "Set SCENARIST_GITHUB_WEBHOOK_SECRET on the web app.",
    ),
    "SCN-1201": (
        "The signature of a delivery does not match the webhook secret.",
        "Give the forge and SCENARIST_GITHUB_WEBHOOK_SECRET the same secret.",
    ),
    "SCN-1202": (
        "The payload of a delivery cannot be read.",
        "Look at it in the forge's list of deliveries; report it if the forge sent it.",
    ),
    "SCN-1203": ("The body of a delivery is too large.", "Raise SCENARIST_MAX_BODY_BYTES."),
    "SCN-1204": (
        "A delivery lacks its event name or GUID.",
        "Let the forge send it: its headers are X-GitHub-Event and X-GitHub-Delivery.",
    ),
    "SCN-1205": (
        "A delivery could not be stored.",
        "Look at the database, then redeliver it; GitHub is also asked for it again by itself.",
    ),
    "SCN-1206": ("Deliveries are POST requests.", "Enter this address as a webhook's URL."),
    "SCN-1207": (
        "A control of a run came without the operator's token.",
        "Send the header `Authorization: Bearer` with the value of SCENARIST_CONTROL_TOKEN.",
    ),
    "SCN-1208": (
        "The webhook sends forms and not JSON.",
        "Set the webhook's content type to application/json.",
    ),
}


def _error(code: str, message: str = "") -> bytes:
    message = message or " ".join(REFUSALS[code])
    return json.dumps({"error": {"code": code, "message": message}}).encode()


async def _send_plainly(send: Any, message: dict[str, Any]) -> None:
    """Send a message of ASGI, a response's start with a header that forbids guessing its type."""
    if message["type"] == "http.response.start":
        message = {**message, "headers": [*message.get("headers", ()), _NOSNIFF]}
    await send(message)


class WebApp:
    """The ASGI app. Webhooks go past the framework, since they are most of the load; the rest is Starlette's.

    `receivers` are the forges' by name; one without a secret answers 404.
    """

    def __init__(
        self,
        store: Store,
        ring: Callable[[Sequence[str]], None],
        *,
        receivers: Mapping[str, Receiver],
        max_body_bytes: int,
        control_token: str = "",
    ) -> None:
        self._control_token = control_token
        self._store = store
        self._inbox = Inbox(Deliveries(store.engine), ring)
        self._receivers = {name: each for name, each in receivers.items() if each.secured}
        self._max_body_bytes = max_body_bytes
        self._templates = jinja2.Environment(
            loader=jinja2.PackageLoader("bot.report", "templates"),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
        )
        self._pages = Starlette(
            routes=[
                Route("/", self._index),
                Route("/healthz", self._health),
                Route("/readyz", self._ready),
                Route("/runs/{run_id}", self._run),
                Route("/runs/{run_id}/{control}", self._control, methods=["POST"]),
            ],
            lifespan=self._lifespan,
        )

    @asynccontextmanager
    async def _lifespan(self, _app: Starlette) -> Any:
        self._inbox.start()
        yield
        await run_in_threadpool(self._inbox.stop)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and scope["path"].startswith(_PREFIX):
            try:
                status, body = await self._webhook(scope, receive)
            except Exception:
                log.exception("a delivery could not be taken")
                status, body = 503, _error("SCN-1205", "The delivery could not be stored. Redeliver it.")
            await send({"type": "http.response.start", "status": status, "headers": _JSON})
            await send({"type": "http.response.body", "body": body})
        else:
            await self._pages(scope, receive, partial(_send_plainly, send))

    async def _webhook(self, scope: Any, receive: Any) -> tuple[int, bytes]:
        forge = scope["path"][len(_PREFIX) :]
        receiver = self._receivers.get(forge)
        if receiver is None:
            return 404, _error("SCN-1200", "No webhook secret is configured for this forge.")
        if scope["method"] != "POST":
            return 405, _error("SCN-1206", "Deliveries are POST requests.")
        headers: dict[bytes, bytes] = dict(scope["headers"])
        body = await self._receive(headers, receive)
        if body is None:
            return 413, _error("SCN-1203", f"The body is over {self._max_body_bytes:,} bytes.")
        if not receiver.is_authentic(headers, body, time.time()):
            return 401, _error("SCN-1201", "The signature does not match: check the webhook secret.")
        if body.startswith(b"payload="):
            return 415, _error("SCN-1208")
        name = receiver.name(headers, body)
        try:
            found = receiver.read(name.event, body)
        except PayloadInvalid as error:
            return 400, _error("SCN-1202", f"The payload cannot be read: {str(error)[:200]}")
        if isinstance(found, Ignored):
            return 202, _IGNORED
        if not name.key or not name.event:
            return 400, _error("SCN-1204", f"{receiver.needs} are required.")
        delivery = Delivery(id=new_id(), forge=forge, guid=name.key, event=name.event, body=body)
        try:
            new = await self._inbox.put(delivery)
        except SQLAlchemyError:
            return 503, _error("SCN-1205", "The delivery could not be stored. Redeliver it.")
        return 202, _STORED if new else _KNOWN

    async def _receive(self, headers: Mapping[bytes, bytes], receive: Any) -> bytes | None:
        """The whole body, or None when it is too large; never holds more than the limit."""
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

    async def _index(self, _request: Request) -> Response:
        return PlainTextResponse("Scenarist is running. Set the label on an issue to start a run.\n")

    async def _health(self, _request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def _ready(self, _request: Request) -> Response:
        def ask() -> None:
            with self._store.engine.connect() as db:
                db.execute(sa.text("SELECT 1"))

        try:
            await run_in_threadpool(ask)
        except SQLAlchemyError:
            return JSONResponse({"status": "no database"}, status_code=503)
        return JSONResponse({"status": "ok"})

    async def _control(self, request: Request) -> Response:
        """`POST /runs/ID/pause`, and resume, cancel, `retry?phase=implement`, with `Authorization: Bearer
        TOKEN`."""
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        known = hmac.compare_digest(given.encode(), self._control_token.encode())
        if not self._control_token or scheme.lower() != "bearer" or not known:
            body = _error("SCN-1207", "This needs the bearer token of SCENARIST_CONTROL_TOKEN.")
            return Response(body, 401, media_type="application/json")
        do = partial(
            control_run,
            self._store,
            request.path_params["run_id"],
            request.path_params["control"],
            by="an operator",
            where="over HTTP",
            phase=request.query_params.get("phase"),
        )
        try:
            await run_in_threadpool(do)
        except ScenaristError as error:
            status = 404 if isinstance(error, RunUnknown) else 409
            return Response(_error(error.code, error.message), status, media_type="application/json")
        return JSONResponse({"status": "ok"})

    async def _run(self, request: Request) -> Response:
        run_id = request.path_params["run_id"]
        entries = await run_in_threadpool(self._store.entries, run_id)
        if not entries:
            return PlainTextResponse("There is no such run.\n", status_code=404)
        state = fold(entries)
        if request.query_params.get("format") == "json":
            return JSONResponse(state.model_dump(mode="json"))
        page = self._templates.get_template("run.html.j2")
        headers = {
            "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
            "X-Robots-Tag": "noindex",
            "Referrer-Policy": "no-referrer",
        }
        return HTMLResponse(page.render(run_id=run_id, state=state, entries=entries), headers=headers)
