"""Many runs that wait: they do not fill the broker, and those that were begun are ended first."""

import contextlib
from pathlib import Path

from bot.config.settings import Settings
from bot.runs.draining import Draining
from bot.storage.database import connect, migrate
from bot.storage.store import Store
from bot.worker.celery_app import WakeUps, make_celery
from bot.worker.processes import processes, start_redis
from bot.worker.worker import Worker
from tests.support.stores import start


def test_a_run_that_was_begun_is_told_of_before_new_ones(tmp_path: Path) -> None:
    with contextlib.ExitStack() as stack:
        group = stack.enter_context(processes(tmp_path / "logs"))
        app = make_celery(start_redis(group, tmp_path / "r"))
        wake_ups = WakeUps(app)
        for number in range(3):
            wake_ups.run(f"new {number}", "prepare")
        wake_ups.run("begun", "publish")
        wake_ups.report("begun")
        assert wake_ups.waiting("publish") == 5
        with app.connection_for_read() as connection, connection.SimpleQueue("publish") as queue:
            told = [queue.get(timeout=60).payload[0][0] for _ in range(5)]
        assert told == ["begun", "begun", "new 0", "new 1", "new 2"]


def test_the_reaper_fills_no_queue_beyond_what_is_enough(tmp_path: Path) -> None:
    with contextlib.ExitStack() as stack:
        group = stack.enter_context(processes(tmp_path / "logs"))
        wake_ups = WakeUps(make_celery(start_redis(group, tmp_path / "r")))
        settings = Settings.model_validate(
            {
                "state_dir": tmp_path,
                "database_url": f"sqlite:///{tmp_path / 'x.db'}",
                "local_webhook_secret": "s",
            }
        )
        engine = connect(settings.database)
        stack.callback(engine.dispose)
        migrate(engine)
        store = Store(engine)
        for number in range(150):
            assert start(store, f"key {number}", target=f"target {number}") is not None
        store.clock = lambda: 0.0
        worker = Worker(settings, wake_ups, ["intake"], Draining(tmp_path / "stopping", 1))
        worker._store.clock = lambda: 4e9  # all of them are due
        assert [wake_ups.waiting(queue) for queue in ("intake", "runs", "publish")] == [0, 0, 0]
        for _ in range(3):
            worker.reap()
        assert wake_ups.waiting("runs") == 0, "nothing is before a phase of that queue"
        assert wake_ups.waiting("intake") + wake_ups.waiting("publish") <= 200
        assert max(wake_ups.waiting("intake"), wake_ups.waiting("publish")) == 100
