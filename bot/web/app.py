"""The web app: webhooks, health, the pages of runs. Nothing slow happens in a request."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from bot.config.limits import load_limits
from bot.config.settings import Settings
from bot.forges.receiver import Receiver
from bot.intake.deliveries import Deliveries
from bot.intake.inbox import Inbox
from bot.remote.server import RemoteServer
from bot.remote.tokens import Signer
from bot.storage.store import Store
from bot.web.http.headers import SecurityHeaders
from bot.web.monitoring import Monitoring
from bot.web.pages.render import static_files
from bot.web.pages.routes import page_routes
from bot.web.webhooks import PREFIX, Webhooks

_TYPES = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml", "htmx": "text/plain"}


class WebApp:
    """The ASGI app. Webhooks bypass the framework, because they are most of the load; Starlette does the
    rest.

    `ring(ids)` is called with the ids of stored deliveries, `controlled(run_id)` after somebody has pressed a
    button of a run. `receivers` are the forges' by name; one without a secret answers 404.
    """

    def __init__(
        self,
        store: Store,
        ring: Callable[[Sequence[str]], None],
        controlled: Callable[[str], None],
        *,
        receivers: Mapping[str, Receiver],
        settings: Settings,
    ) -> None:
        self._inbox = Inbox(Deliveries(store.engine), ring)
        monitoring = Monitoring(store, settings, lambda: self._inbox.is_working)
        self._webhooks = Webhooks(self._inbox, receivers, settings.max_body_bytes)
        self._pages = SecurityHeaders(
            Starlette(
                routes=[
                    *monitoring.routes(),
                    Route("/static/{name}", self._static),
                    *page_routes(store, settings, controlled),
                    *_launch_routes(store, settings, controlled),
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

    async def _static(self, request: Request) -> Response:
        name = request.path_params["name"]
        found = static_files().get(name)
        if found is None:
            return PlainTextResponse("There is no such file.\n", 404)
        headers = {"cache-control": "public, max-age=31536000, immutable"}
        return Response(found[0], media_type=_TYPES[name.rpartition(".")[2]], headers=headers)


def _launch_routes(store: Store, settings: Settings, changed: Callable[[str], None]) -> Sequence[Route]:
    """Return the routes of launches that reach nothing but the web app; without a secret, or with a
    workflow file, there are none."""
    secret = settings.runner_secret.get_secret_value()
    # A launch knows the built-in phases alone, and would pass by an operator's nodes.
    if not secret or settings.workflow_file is not None:
        return ()
    limited = Store(store.engine, allowances=load_limits(settings.limits_file).allowances)
    return RemoteServer(limited, Signer(secret), changed).routes()
