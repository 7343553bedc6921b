"""Switch on what is made from the events of runs. Libraries are imported only where something is on."""

import logging
import os
from pathlib import Path

import sqlalchemy as sa

from bot.config.settings import Settings
from bot.telemetry.trace_id import tracing_is_on
from runners.counted import listen

log = logging.getLogger(__name__)

# prometheus-client reads this variable when it is imported.
_FOLDER = "PROMETHEUS_MULTIPROC_DIR"


def share_counts(folder: Path) -> dict[str, str]:
    """Empty `folder`, in which processes count together; returns the environment variable that names it.

    Each process writes files of its own, and the files of processes that ended still count.
    https://prometheus.github.io/client_python/multiprocess/
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for old in folder.glob("*.db"):
        old.unlink()
    return {_FOLDER: str(folder)}


def shares_counts() -> bool:
    """Return whether this process counts in a folder, together with others."""
    return _FOLDER in os.environ


def count_runs(engine: sa.Engine, settings: Settings) -> None:
    """Count what this process appends to the logs of runs, and what `runners.counted` tells."""
    from bot.storage.observers import observe
    from bot.telemetry import metrics
    from bot.telemetry.counting import EventCounter

    metrics.start_at_zero()
    listen(metrics.counted)
    observe(engine, EventCounter(repositories=settings.metrics_repositories))


def trace_runs(engine: sa.Engine) -> None:
    """Export the traces of runs where OpenTelemetry's variables ask for it."""
    if not tracing_is_on():
        return
    from bot.storage.observers import observe

    try:
        from bot.telemetry.tracing import RunTracer
    except ImportError as error:
        log.warning("traces are off, since %s is not installed: install scenarist[otel]", error.name)
        return
    observe(engine, RunTracer(engine))
