"""Do the next phases of one run in this process, and leave."""

import signal
from types import FrameType

from bot.config.settings import Settings
from bot.runs.control import RunUnknown
from bot.runs.draining import Draining
from bot.storage.launches import Launch
from bot.storage.store import open_store
from bot.worker.celery_app import WakeUps, make_celery
from bot.worker.worker import Worker


def work_once(settings: Settings, run_id: str, fence: int | None, draining: Draining) -> None:
    """Do the phases of the run that run repository code, until another kind of worker is needed.

    With `fence` this process is the launch of that name, and does nothing if the run has moved on since. At
    SIGTERM `draining` begins: the current turn ends, and the run is given back. Raises `RunUnknown`.
    """
    store = open_store(settings.database)
    runner = store.runner(run_id)
    store.engine.dispose()
    if runner is None:
        raise RunUnknown(f"There is no run {run_id} in this database.")

    def stop(_number: int, _frame: FrameType | None) -> None:
        draining.begin()

    signal.signal(signal.SIGTERM, stop)
    holder = Launch(run_id=run_id, fence=fence).name if fence is not None else ""
    wake_ups = WakeUps(make_celery(settings.broker_url))
    worker = Worker(settings, wake_ups, ["runs"], draining, runner=None, place=runner, holder=holder)
    worker.advance(run_id, fence)
