"""Do the next phases of one run in this process, and leave: of a given run, or of the next one due."""

import logging
import signal
import threading
import time
from collections.abc import Callable
from types import FrameType

from sqlalchemy.exc import InterfaceError, OperationalError

from bot.config.limits import load_limits
from bot.config.settings import Settings
from bot.runs.control import RunUnknown
from bot.runs.draining import Draining
from bot.storage.database import connect
from bot.storage.launches import Launch, Launches
from bot.storage.store import Store, open_store
from bot.worker.celery_app import WakeUps, make_celery
from bot.worker.worker import Worker
from gherkin.errors import described
from runners.contract.operator_limits import Runner

log = logging.getLogger(__name__)

_LOOK_S = 2.0
# Others may take the first ones at the same moment.
_LOOKED_AT = 20


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


def work_next(settings: Settings, wait_s: float, draining: Draining) -> None:
    """Do the phases that run repository code of the run that is due longest, and leave.

    Where none is due, wait `wait_s` seconds for one. Only runs count that are done at `settings.runner`. At
    SIGTERM `draining` begins: the current turn ends, and the run is given back.
    """
    stopping = threading.Event()

    def stop(_number: int, _frame: FrameType | None) -> None:
        draining.begin()
        stopping.set()

    signal.signal(signal.SIGTERM, stop)
    wake_ups = WakeUps(make_celery(settings.broker_url))
    runner = settings.runner
    # What a run needs is imported now, and not when it comes.
    worker = Worker(settings, wake_ups, ["runs"], draining, runner=runner, place=runner)
    allowances = load_limits(settings.limits_file).allowances
    store = Store(connect(settings.database), allowances=allowances)
    take_next(store, runner, worker.advance, wait_s, stopping)


def take_next(
    store: Launches,
    runner: Runner,
    advance: Callable[[str, int], bool],
    wait_s: float,
    stopping: threading.Event,
) -> bool:
    """Call `advance` with the id and the fence of due runs until it has claimed one; returns whether it has.

    Look for `wait_s` seconds, or until `stopping` is set. While the database is away, wait.
    """
    until = time.monotonic() + wait_s
    while not stopping.is_set():
        try:
            for run in store.runs_to_launch(runner, _LOOKED_AT):
                if stopping.is_set() or advance(run.launch.run_id, run.launch.fence):
                    return not stopping.is_set()
        except (OperationalError, InterfaceError) as error:
            log.warning("the database cannot be reached: %s", described(error))
        left = until - time.monotonic()
        if left <= 0:
            return False
        stopping.wait(min(_LOOK_S, left))
    return False
