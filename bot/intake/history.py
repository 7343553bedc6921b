"""What earlier runs asked, heard and found, frozen into the work order of the next one."""

from bot.intake.decisions.target import target_of
from bot.log.events import RunRequested
from bot.log.state import RunState, fold
from bot.storage.run_reads import RunRow
from bot.storage.store import Store
from runners.contract.events import Instructed
from runners.contract.job import FEATURE
from runners.contract.workorder import EarlierRun, OrderComment, WorkOrder

# The newest runs are told of; more would take the room of the task.
_MAX_RUNS = 5
_MAX_TEXT = 4000
_MAX_FOUND = 10
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
    """The order of a revision with the text of the issue as the pull request's first run got it."""
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
    state = fold(entries)
    if state.requested is None:
        raise ValueError("a run's log begins with RunRequested")
    order = state.requested.order
    told = [entry.event for entry in entries if isinstance(entry.event, Instructed)]
    published = state.published is not None
    feature = b"" if published else store.artifact(row.id, FEATURE) or b""
    return EarlierRun(
        id=row.id,
        kind=order.kind,
        by=order.requested_by,
        request=_asked(order),
        told=tuple(OrderComment(author=each.by, body=each.text[:_MAX_TEXT]) for each in told),
        scenarios=feature.decode(errors="replace"),
        source=state.spec.source if state.spec else "issue",
        approved_by=state.approved_by,
        found=_found(state),
        summary=state.committed.summary[:_MAX_TEXT] if state.committed else "",
        question=state.reason[:_MAX_TEXT] if state.status == "needs_info" else "",
        published=published,
        demands=state.spec.demands if state.spec else (),
    )


def _asked(order: WorkOrder) -> str:
    """What a revision was asked for: the review and the first remark of each thread."""
    if order.kind == "implement":
        return ""
    if order.failed_jobs:
        return f"A repair, because the CI failed: {', '.join(job.name for job in order.failed_jobs)}."
    if order.rebase:
        return "To bring the branch up to date with its target."
    remarks = [thread.comments[0].body for thread in order.threads if thread.comments]
    return "\n\n".join(each.strip()[:_MAX_TEXT] for each in (order.review_body, *remarks) if each.strip())


def _found(state: RunState) -> tuple[str, ...]:
    if state.verdict is not None and not state.verdict.green:
        return tuple(dict.fromkeys(each.message for each in state.verdict.problems))[:_MAX_FOUND]
    if state.status in ("gave_up", "failed", "cancelled") and state.reason:
        return (state.reason[:_MAX_TEXT],)
    return ()
