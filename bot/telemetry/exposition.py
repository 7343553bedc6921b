"""The text of `/metrics`: counters and histograms of all processes, and gauges that the tables give now."""

import os
import time
from collections.abc import Iterable, Iterator

import sqlalchemy as sa
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector

from bot import __version__
from bot.config.settings import Settings
from bot.runs.workflow import QUEUES
from bot.storage.gauges import measure, silent_runs
from bot.telemetry.health import free_bytes
from bot.telemetry.metrics import REGISTRY

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Exposition:
    """What one address shows. With an `engine` the gauges of the tables are among it."""

    def __init__(self, settings: Settings, engine: sa.Engine | None) -> None:
        self._settings = settings
        self._engine = engine
        self._registry = CollectorRegistry()
        self._registry.register(_CountedCollector())
        self._registry.register(self)

    def text(self) -> bytes:
        """Return the metrics in Prometheus' text format.

        The gauges of the tables are left out while the database is away.
        """
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Metric]:
        """Yield the gauges; called by the registry."""
        yield _gauge("build_info", "1; the version is a label.", [((__version__,), 1)], ("version",))
        free = free_bytes(self._settings.state_dir)
        yield _gauge("disk_free_bytes", "Free bytes at the state folder.", [((), free)])
        if self._engine is None:
            return
        try:
            yield from self._of_tables(self._engine)
            yield _gauge("database_up", "Whether the database answered.", [((), 1)])
        except sa.exc.SQLAlchemyError:
            yield _gauge("database_up", "Whether the database answered.", [((), 0)])

    def _of_tables(self, engine: sa.Engine) -> Iterator[Metric]:
        now = time.time()
        found = measure(engine, now)
        silent = len(silent_runs(engine, now, self._settings.stuck_seconds))
        ages: dict[str, float] = dict.fromkeys(("publish", "runs"), 0.0)
        for phase, age in found.oldest_due.items():
            queue = QUEUES[phase]
            ages[queue] = max(ages[queue], age)
        yield _gauge("open_runs", "Runs that have not ended.", found.open_runs.items(), ("phase", "activity"))
        said = "For how long the oldest run of a queue has waited for a worker."
        yield _gauge("queue_age_seconds", said, [((queue,), age) for queue, age in ages.items()], ("queue",))
        yield _gauge("deliveries_waiting", "Deliveries not handled yet.", [((), found.deliveries)])
        said = "For how long the oldest delivery has been due."
        yield _gauge("delivery_age_seconds", said, [((), found.oldest_delivery)])
        yield _gauge("leases_expired", "Runs whose worker let the lease run out.", [((), found.expired)])
        yield _gauge("reports_behind", "Runs whose status comment is out of date.", [((), found.behind)])
        yield _gauge("stuck_runs", "Runs that are held and make no progress.", [((), silent)])


class _CountedCollector:
    """Counters and histograms of this process, or of all processes that share a folder.

    Those that have counted nothing yet are named as well, so that a query for them is not taken for a typo.
    """

    def collect(self) -> Iterable[Metric]:
        own = {metric.name: metric for metric in REGISTRY.collect()}
        folder = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
        if folder is None:
            return own.values()
        shared = {metric.name: metric for metric in MultiProcessCollector(None, folder).collect()}  # type: ignore[no-untyped-call]
        bare = {name: Metric(name, each.documentation, each.type) for name, each in own.items()}
        return (bare | shared).values()


def _gauge(
    name: str, said: str, values: Iterable[tuple[tuple[str, ...], float]], labels: tuple[str, ...] = ()
) -> GaugeMetricFamily:
    family = GaugeMetricFamily(f"scenarist_{name}", said, labels=labels)
    for label_values, value in values:
        family.add_metric(label_values, value)
    return family
