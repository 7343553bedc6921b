"""Reviews that follow each other at once: one revision does what all of them ask."""

from bot.log.events import Phase, RunRequested
from bot.storage.store import Store
from runners.contract.workorder import OrderThread, WorkOrder

# A revision in one of these has changed nothing yet, so that it can be begun again with more to do.
_NOT_YET_WORKING: tuple[Phase, ...] = ("prepare", "specify")


def joined(request: RunRequested, target: str, store: Store) -> tuple[RunRequested, str]:
    """Return the request with what the revision asks that is about to begin on `target`, and that run's id.

    The request itself and no id where there is none. The other run is to be cancelled once this one is
    stored; until then it goes first.
    """
    if not _is_review(request.order):
        return request, ""
    for run_id in reversed(store.open_runs(target)):
        other, status = store.requested(run_id), store.status(run_id)
        waits = status is not None and status[0] == "active" and status[1] in _NOT_YET_WORKING
        if other is not None and waits and _is_review(other.order) and other.key != request.key:
            order = _both(other.order, request.order)
            return request.model_copy(update={"order": order, "order_sha256": order.digest}), run_id
    return request, ""


def _is_review(order: WorkOrder) -> bool:
    return order.kind == "revise" and not order.failed_jobs and not order.rebase


def _both(first: WorkOrder, second: WorkOrder) -> WorkOrder:
    """Return the second order with the remarks of the first; a thread of both is as the second has it."""
    threads: dict[int, OrderThread] = {thread.id: thread for thread in (*first.threads, *second.threads)}
    bodies = dict.fromkeys(body.strip() for body in (first.review_body, second.review_body))
    return second.model_copy(
        update={
            "threads": tuple(threads[number] for number in sorted(threads)),
            "review_body": "\n\n".join(filter(None, bodies)),
        }
    )
