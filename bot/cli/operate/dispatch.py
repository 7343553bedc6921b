"""`scenarist dispatch`."""

import signal
import threading

import typer

from bot.config.limits import load_limits
from bot.config.settings import Settings, load_settings
from bot.launchers.dispatcher import Dispatcher
from bot.launchers.launcher import Launcher
from bot.launchers.registry.launchers import launchers
from bot.runs.driver import Driver
from bot.runs.worker_identity import worker_identity
from bot.storage.database import connect
from bot.storage.store import Store
from bot.telemetry.exposition import Exposition
from bot.telemetry.health import Health
from bot.telemetry.logs import start_logging
from bot.telemetry.server import TelemetryServer
from bot.telemetry.watching import count_runs
from bot.worker.celery_app import WakeUps, make_celery
from bot.worker.waking import Waking


def dispatch() -> None:
    """Launch runs as Kubernetes Jobs or GitHub Actions jobs, and record how they end.

    It needs no key of a model, and needs the App's key only for GitHub Actions. Several dispatchers can run
    side by side, and each can be stopped at any time.
    """
    settings = load_settings()
    start_logging(settings)
    store = Store(connect(settings.database), allowances=load_limits(settings.limits_file).allowances)
    found = launchers(settings, store)
    if settings.metrics_address:
        count_runs(store.engine, settings)
        exposition = Exposition(settings, store.engine)
        TelemetryServer(settings.metrics_address, exposition.text, Health(settings, store.engine))
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stopping.set())
    threads = [
        threading.Thread(target=dispatcher(settings, store, each).run, args=(stopping, settings.reap_seconds))
        for each in found
    ]
    for thread in threads:
        thread.start()
    typer.echo(f"Dispatching runs: {', '.join(each.runner for each in found)}.")
    for thread in threads:
        thread.join()


def dispatcher(settings: Settings, store: Store, launcher: Launcher) -> Dispatcher:
    """Return the dispatcher of `launcher` over `store`, which also wakes the workers of other phases."""
    me = worker_identity()
    waking = Waking(store, WakeUps(make_celery(settings.broker_url)))
    driver = Driver(
        store,
        {},
        worker=me,
        lease_seconds=settings.lease_seconds,
        retry_seconds=settings.retry_seconds,
        changed=waking.changed,
    )
    return Dispatcher(
        store,
        launcher,
        driver,
        holder=me,
        lease_seconds=settings.lease_seconds,
        leave_seconds=settings.stop_seconds,
    )
