"""The web app: webhooks, health, the pages of runs. Nothing slow happens in a request."""

import hmac
from collections.abc import Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from bot.forges.receiver import Receiver
from bot.intake.deliveries import Deliveries
from bot.intake.inbox import Inbox
from bot.runs.control import RunUnknown, control_run
from bot.storage.store import Store
from bot.web.headers import SecurityHeaders
from bot.web.refusals import error_body
from bot.web.render import Renderer, static_files
from bot.web.run_pages import RunPages
from bot.web.webhooks import PREFIX, Webhooks
from gherkin.errors import ScenaristError

_TYPES = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml", "htmx": "text/plain"}


class WebApp:
    """The ASGI app. Webhooks go past the framework, since they are most of the load; the rest is Starlette's.

    `receivers` are the forges' by name; one without a secret answers 404. `label` is what starts a run.
    """

    def __init__(
        self,
        store: Store,
        ring: Callable[[Sequence[str]], None],
        *,
        receivers: Mapping[str, Receiver],
        max_body_bytes: int,
        control_token: str = "",
        label: str = "agent:implement",
    ) -> None:
        self._control_token = control_token
        self._store = store
        self._inbox = Inbox(Deliveries(store.engine), ring)
        self._webhooks = Webhooks(self._inbox, receivers, max_body_bytes)
        pages = RunPages(store, Renderer(), label=label)
        self._pages = SecurityHeaders(
            Starlette(
                routes=[
                    Route("/", self._index),
                    Route("/healthz", self._health),
                    Route("/readyz", self._ready),
                    Route("/static/{name}", self._static),
                    *pages.routes(),
                    Route("/runs/{run_id}/{control}", self._control, methods=["POST"]),
                ],
                lifespan=self._lifespan,
            )
        )

    @asynccontextmanager
    async def _lifespan(self, _app: Starlette) -> Any:
        self._inbox.start()
        yield
        await run_in_threadpool(self._inbox.stop)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        hook = scope["type"] == "http" and scope["path"].startswith(PREFIX)
        await (self._webhooks if hook else self._pages)(scope, receive, send)

    async def _index(self, _request: Request) -> Response:
        return PlainTextResponse("Scenarist is running. Set the label on an issue to start a run.\n")

    async def _static(self, request: Request) -> Response:
        name = request.path_params["name"]
        found = static_files().get(name)
        if found is None:
            return PlainTextResponse("There is no such file.\n", 404)
        headers = {"cache-control": "public, max-age=31536000, immutable"}
        return Response(found[0], media_type=_TYPES[name.rpartition(".")[2]], headers=headers)

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
            body = error_body("SCN-1207", "This needs the bearer token of SCENARIST_CONTROL_TOKEN.")
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
            return Response(error_body(error.code, error.message), status, media_type="application/json")
        return JSONResponse({"status": "ok"})
