"""Runs that wait for a launch."""

from bot.log.events import Prepared
from bot.storage.store import Store
from runners.contract.job import RunSettings
from runners.contract.operator_limits import Runner
from tests.support.stores import claim, start


def prepared(store: Store, key: str = "k", runner: Runner = "kubernetes", target: str = "") -> str:
    """Return a run whose next phase is specify, to be done at `runner`."""
    run_id = start(store, key, target=target or key) or ""
    finish_prepare(store, run_id, runner)
    return run_id


def finish_prepare(store: Store, run_id: str, runner: Runner) -> None:
    """End the preparation of a new run that is to be done at `runner`."""
    done = Prepared(
        base="1" * 40, base_branch="main", branch="b", head=None, settings=RunSettings(), runner=runner
    )
    store.finish_phase(claim(store, run_id), [done], {}, phase="specify")
