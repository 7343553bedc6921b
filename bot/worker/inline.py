"""Do all phases of runs in this process, without broker, workers and web app."""

import threading
import time
from collections.abc import Callable

from rich.console import Console

from bot.config.settings import Settings
from bot.forges.registry.adapters import Forges
from bot.log.events import Phase
from bot.log.state import RunState, fold
from bot.report.reporter import Reporter
from bot.report.terminal import follow
from bot.runs.driver import Driver
from bot.runs.workflow import check
from bot.runs.workflow_file import load_workflow
from bot.storage.store import Store
from bot.worker.untrusted import untrusted_handlers
from bot.worker.worker import trusted_handlers
from runners.git.workspaces import Workspaces

_LOOK_S = 0.2
_DAY_S = 86_400.0


def inline_driver(
    settings: Settings,
    store: Store,
    forges: Forges,
    reporter: Reporter,
    *,
    worker: str,
    changed: Callable[[str, Phase | None], None],
    forgetful: bool = False,
) -> Driver:
    """Return a driver with the handlers of all phases; `worker` is this process's name in the log.

    `changed(run_id, next_phase)` is called after each step. `forgetful` says that the state is deleted after
    the run, so that scenarios must be part of the change.
    """
    workspaces = Workspaces(settings.state_dir)
    workspaces.sweep()
    graph = load_workflow(settings.workflow_file)
    check(graph)
    return Driver(
        store,
        {
            **trusted_handlers(settings, forges, workspaces, reporter, forgetful=forgetful),
            **untrusted_handlers(settings, store, workspaces, store.all_open_runs, graph.runner),
        },
        worker=worker,
        lease_seconds=settings.lease_seconds,
        retry_seconds=settings.retry_seconds,
        changed=changed,
        graph=graph,
        sandboxed=not settings.unsafe_no_sandbox,
    )


def drive(store: Store, driver: Driver, run_id: str) -> RunState:
    """Do the run's phases until it ends or pauses, and return its state; wait for delayed phases."""
    state = fold(store.entries(run_id))
    while state.status == "active":
        if not driver.advance(run_id):
            time.sleep(_LOOK_S)
        state = fold(store.entries(run_id, after=state.seq), state)
    return state


def drive_shown(
    store: Store, driver: Driver, run_id: str, console: Console, stop: Callable[[], None]
) -> RunState:
    """Do the run's phases as `drive` does, and print its log meanwhile.

    When the process is interrupted (`KeyboardInterrupt`), call `stop`, which should cancel the run, wait
    until the run has ended, and raise the exception again.
    """
    failed: list[BaseException] = []

    def work() -> None:
        try:
            drive(store, driver, run_id)
        except BaseException as error:
            failed.append(error)

    working = threading.Thread(target=work, name=f"run-{run_id}")
    looked = False

    def goes_on(_state: RunState, _run: str) -> bool:
        nonlocal looked
        if working.is_alive():
            return True
        # Events that were logged between the last reading and the end must still be shown.
        again, looked = not looked, True
        return again

    working.start()
    try:
        _, state = follow(store, console, lambda: run_id, goes_on, _DAY_S)
    except BaseException:
        stop()
        working.join()
        raise
    if failed:
        raise failed[0]
    return state
