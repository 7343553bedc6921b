"""`scenarist up`."""

from bot.cli.options import Host, Port
from bot.config.settings import load_settings
from bot.telemetry.logs import start_logging
from bot.worker.machine import run_up


def up(host: Host = "127.0.0.1", port: Port = 8080) -> None:
    """Run everything on one machine until Ctrl-C.

    Starts an embedded Redis, the web app, and one worker for each queue.
    """
    settings = load_settings()
    start_logging(settings)
    run_up(settings, host, port)
