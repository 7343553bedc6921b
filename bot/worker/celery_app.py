"""The Celery app and its tasks. A message is only a wake-up with an id; the database holds all data."""

import gc
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from celery import Celery
from celery.schedules import schedule
from celery.signals import worker_shutting_down

from bot.config.settings import Settings
from bot.log.events import Phase
from bot.runs.draining import Draining
from bot.runs.workflow import QUEUES

INTAKE, ADVANCE, REPORT, REAP, CONTROL = (
    "scenarist.intake",
    "scenarist.advance",
    "scenarist.report",
    "scenarist.reap",
    "scenarist.control",
)

# On Redis the smallest number is served first; messages without a priority have it.
_FIRST, _LAST = 0, 9


def make_celery(broker_url: str, reap_seconds: float = 5.0) -> Celery:
    """Return a Celery app on `broker_url` (Redis), still without tasks."""
    app = Celery("scenarist", broker=broker_url, set_as_current=False)
    app.conf.update(
        task_serializer="json",
        accept_content=["json"],
        task_ignore_result=True,
        task_default_queue="intake",
        task_create_missing_queues=True,
        task_acks_late=False,
        worker_prefetch_multiplier=1,
        worker_hijack_root_logger=False,
        worker_send_task_events=False,
        broker_connection_retry_on_startup=True,
        broker_transport_options={
            "visibility_timeout": 3600,
            "unacked_restore_interval": 2,
            "unacked_restore_throttle": 1,
            # Without these a web request's thread would wait for minutes for a dead Redis.
            "socket_timeout": 10,
            "socket_connect_timeout": 5,
        },
        task_publish_retry=False,
        beat_schedule={
            "reap": {"task": REAP, "schedule": schedule(reap_seconds), "options": {"queue": "intake"}}
        },
    )
    return app


class WakeUps:
    """Sends the wake-ups. A lost one only delays the work, because the reaper sends it again."""

    def __init__(self, app: Celery) -> None:
        self._app = app

    def deliveries(self, ids: Sequence[str]) -> None:
        """Tell the intake workers about stored deliveries."""
        self._app.send_task(INTAKE, args=[list(ids)], queue="intake")

    def run(self, run_id: str, phase: Phase, seconds: float = 0.0) -> None:
        """Tell the workers of `phase` that a run is ready, or will be in some seconds."""
        self._app.send_task(
            ADVANCE,
            args=[run_id],
            queue=QUEUES[phase],
            countdown=seconds or None,
            # Started runs come before new ones, so that the first run ends early however many wait.
            priority=_LAST if phase in ("prepare", "specify") else _FIRST,
        )

    def waiting(self, queue: str) -> int:
        """Return the number of messages in `queue` that no worker has taken. Raises the broker's errors."""
        with self._app.connection_or_acquire() as connection:  # a new one takes ten times as long
            return int(connection.default_channel.queue_declare(queue=queue).message_count)

    def report(self, run_id: str) -> None:
        """Tell the publish workers that a run's status comment is out of date."""
        self._app.send_task(REPORT, args=[run_id], queue="publish")


def register_tasks(app: Celery, settings: Settings, queues: Sequence[str], draining: Draining) -> None:
    """Register the tasks of a worker of `queues`; the `Worker` is made in its process at the first task.

    When the process gets SIGTERM, `draining` begins.
    """
    worker_shutting_down.connect(lambda **_: draining.begin(), weak=False)

    @lru_cache(maxsize=1)
    def worker() -> Any:
        gc.disable()  # as in `bot.__main__`
        from bot.worker.worker import Worker  # the web app and the parent process do not need it

        gc.freeze()
        gc.enable()
        return Worker(settings, WakeUps(app), queues, draining)

    @app.task(name=INTAKE)  # type: ignore[untyped-decorator]
    def intake(ids: list[str]) -> None:
        worker().intake(ids)

    @app.task(name=ADVANCE)  # type: ignore[untyped-decorator]
    def advance(run_id: str) -> None:
        worker().advance(run_id)

    @app.task(name=REPORT)  # type: ignore[untyped-decorator]
    def report(run_id: str) -> None:
        worker().report(run_id)

    @app.task(name=CONTROL)  # type: ignore[untyped-decorator]
    def control(run_id: str, control: str, by: str, phase: str | None = None) -> None:
        worker().control(run_id, control, by, phase)

    @app.task(name=REAP)  # type: ignore[untyped-decorator]
    def reap() -> None:
        worker().reap()
