"""`/healthz`, `/readyz` and `/metrics` of the web app."""

import hmac
from collections.abc import Callable

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bot.config.settings import Settings
from bot.storage.store import Store
from bot.telemetry.exposition import CONTENT_TYPE, Exposition
from bot.telemetry.health import Health
from bot.web.http.refusals import error_body


class Monitoring:
    """What monitoring asks for. `is_working` says whether the web app can still take deliveries."""

    def __init__(self, store: Store, settings: Settings, is_working: Callable[[], bool]) -> None:
        self._health = Health(settings, store.engine)
        self._exposition = Exposition(settings, store.engine)
        self._is_working = is_working
        tokens = (settings.metrics_token, settings.control_token)
        self._tokens = [each.get_secret_value().encode() for each in tokens if each.get_secret_value()]

    def routes(self) -> list[Route]:
        """Return the routes of the three addresses."""
        return [
            Route("/healthz", self._alive),
            Route("/readyz", self._ready),
            Route("/metrics", self._metrics),
        ]

    async def _alive(self, _request: Request) -> Response:
        if not self._is_working():
            body = {"status": "failed", "said": "The thread that stores deliveries has ended: restart this."}
            return JSONResponse(body, 503)
        return JSONResponse({"status": "ok"})

    async def _ready(self, request: Request) -> Response:
        strict = "strict" in request.query_params
        status, body = await run_in_threadpool(lambda: self._health.report(strict=strict))
        return JSONResponse(body, status)

    async def _metrics(self, request: Request) -> Response:
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        known = [hmac.compare_digest(given.encode(), token) for token in self._tokens]
        if scheme.lower() != "bearer" or not any(known):
            return Response(error_body("SCN-1211"), 401, media_type="application/json")
        return Response(await run_in_threadpool(self._exposition.text), media_type=CONTENT_TYPE)
