"""`scenarist up`."""

from bot.cli.options import Host, Port
from bot.cli.process import start_logging
from bot.config.settings import load_settings
from bot.worker.machine import run_up


def up(host: Host = "127.0.0.1", port: Port = 8080) -> None:
    """Run everything on one machine until Ctrl-C.

    Starts an embedded Redis, the web app, and one worker for each queue.
    """
    start_logging()
    run_up(load_settings(), host, port)
