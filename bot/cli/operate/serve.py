"""`scenarist serve`."""

import contextlib
import socket
from typing import Annotated

import typer
import uvicorn

from bot.cli.options import Host, Port
from bot.config.settings import load_settings
from bot.forges.registry.receivers import receivers
from bot.storage.store import open_store
from bot.telemetry.exposition import Exposition
from bot.telemetry.health import Health
from bot.telemetry.logs import start_logging
from bot.telemetry.server import TelemetryServer
from bot.telemetry.watching import count_runs, trace_runs
from bot.web.app import WebApp
from bot.worker.celery_app import WakeUps, make_celery
from bot.worker.waking import Waking

# Seconds that open requests get when the web app is told to stop.
STOP_S = 3


def serve(
    host: Host = "127.0.0.1",
    port: Port = 8080,
    fd: Annotated[
        int | None,
        typer.Option(
            min=0, max=1_048_576, help="Serve a listening socket that is inherited under this number instead."
        ),
    ] = None,
) -> None:
    """Run the web app: webhooks, health and run pages."""
    settings = load_settings()
    start_logging(settings)
    store, wake_ups = open_store(settings.database), WakeUps(make_celery(settings.broker_url))
    count_runs(store.engine, settings)
    trace_runs(store.engine)
    web = WebApp(
        store,
        wake_ups.deliveries,
        Waking(store, wake_ups).controlled,
        receivers=receivers(settings),
        settings=settings,
    )
    if settings.metrics_address:
        exposition = Exposition(settings, store.engine)
        TelemetryServer(settings.metrics_address, exposition.text, Health(settings, store.engine))
    server = uvicorn.Server(
        uvicorn.Config(
            web,
            host=host,
            port=port,
            log_level="warning",
            log_config=None,  # its entries go to the log of this process
            access_log=False,
            loop="uvloop",
            http="httptools",
            # Pages that are followed keep their connections open.
            timeout_graceful_shutdown=STOP_S,
        )
    )
    with contextlib.suppress(KeyboardInterrupt):
        server.run(sockets=None if fd is None else [socket.socket(fileno=fd)])
    if not server.started:
        raise typer.Exit(1)  # the address was in use; uvicorn has said so
