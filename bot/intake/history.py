"""What earlier runs asked, heard and found, frozen into the work order of the next one."""

from bot.behaviours.target import target_of
from bot.log.earlier import earlier_run
from bot.log.events import RunRequested
from bot.log.state import fold
from bot.storage.run_reads import RunRow
from bot.storage.store import Store
from runners.contract.events import Instructed
from runners.contract.job import FEATURE
from runners.contract.workorder import EarlierRun, WorkOrder

# The newest runs are told of; more would take the room of the task.
_MAX_RUNS = 5
_ENDED = ("done", "needs_info", "gave_up", "failed", "cancelled")


def with_history(request: RunRequested, store: Store) -> RunRequested:
    """Return the request with what earlier runs on its issue or pull request have left in their logs."""
    order = request.order
    order = _revision(request, store) if order.kind == "revise" else _continued(request, store)
    return request.model_copy(update={"order": order, "order_sha256": order.digest})


def _continued(request: RunRequested, store: Store) -> WorkOrder:
    order = request.order
    target = target_of(request.forge, request.repo, "issue", order.number)
    rows = [row for row in store.list_runs(_MAX_RUNS, target=target) if row.status in _ENDED]
    return order.model_copy(update={"earlier": tuple(_earlier(row, store) for row in reversed(rows))})


def _revision(request: RunRequested, store: Store) -> WorkOrder:
    """Return the order of a revision with the text of the issue as the pull request's first run got it."""
    order, pull = request.order, request.order.pull or 0
    issue = target_of(request.forge, request.repo, "issue", order.number)
    made = next((row for row in store.list_runs(target=issue) if _has_published(row, store, pull)), None)
    target = target_of(request.forge, request.repo, "pull", pull)
    revisions = [row for row in store.list_runs(_MAX_RUNS, target=target) if row.status in _ENDED]
    changes: dict[str, object] = {
        "earlier": tuple(_earlier(row, store) for row in [*([made] if made else []), *reversed(revisions)])
    }
    first = fold(store.entries(made.id)).requested if made else None
    if first is not None:
        kept = ("body", "comments", "labels")
        changes |= {name: getattr(first.order, name) for name in kept}
    return order.model_copy(update=changes)


def _has_published(row: RunRow, store: Store, pull: int) -> bool:
    if row.status != "done":
        return False
    published = fold(store.entries(row.id)).published
    return published is not None and published.pull == pull


def _earlier(row: RunRow, store: Store) -> EarlierRun:
    entries = store.entries(row.id)
    told = [entry.event for entry in entries if isinstance(entry.event, Instructed)]
    feature = store.artifact(row.id, FEATURE) or b""
    return earlier_run(row.id, fold(entries), told, feature.decode(errors="replace"))
