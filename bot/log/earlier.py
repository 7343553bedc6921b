"""What a run tells the next one for the same issue or pull request."""

from collections.abc import Sequence
from typing import Literal

from bot.log.state import RunState
from runners.contract.events import Instructed
from runners.contract.workorder import EarlierRun, OrderComment, WorkOrder

# What began a revision that no review asked for.
_REPAIR = "A repair, because the CI failed"
_UPDATE = "To bring the branch up to date with its target"
_MAX_TEXT = 4000  # characters
_MAX_FOUND = 10


def earlier_run(run_id: str, state: RunState, told: Sequence[Instructed], feature: str) -> EarlierRun:
    """Return the account of a run that has ended; `told` is what people wrote meanwhile.

    `feature` is the text of its scenarios, which is left out where they are on the branch.
    """
    if state.requested is None:
        raise ValueError("a run's log begins with RunRequested")
    order = state.requested.order
    published = state.published is not None
    return EarlierRun(
        id=run_id,
        kind=order.kind,
        by=order.requested_by,
        request=_asked(order),
        told=tuple(OrderComment(author=each.by, body=each.text[:_MAX_TEXT]) for each in told),
        scenarios="" if published else feature,
        source=state.spec.source if state.spec else "issue",
        approved_by=state.approved_by,
        found=_found(state),
        summary=state.committed.summary[:_MAX_TEXT] if state.committed else "",
        question=state.reason[:_MAX_TEXT] if state.status == "needs_info" else "",
        published=published,
        demands=state.spec.demands if state.spec else (),
    )


def what_for(run: EarlierRun) -> Literal["issue", "review", "repair", "update"]:
    """Return what a run was for: an issue, a review, a repair of the CI or an update of the branch."""
    if run.kind == "implement":
        return "issue"
    if run.request.startswith(_REPAIR):
        return "repair"
    return "update" if run.request.startswith(_UPDATE) else "review"


def _asked(order: WorkOrder) -> str:
    """Return what a revision was asked for: the review and the first remark of each thread."""
    if order.kind == "implement":
        return ""
    if order.failed_jobs:
        return f"{_REPAIR}: {', '.join(job.name for job in order.failed_jobs)}."
    if order.rebase:
        return f"{_UPDATE}."
    remarks = [thread.comments[0].body for thread in order.threads if thread.comments]
    return "\n\n".join(each.strip()[:_MAX_TEXT] for each in (order.review_body, *remarks) if each.strip())


def _found(state: RunState) -> tuple[str, ...]:
    if state.verdict is not None and not state.verdict.green:
        return tuple(dict.fromkeys(each.message for each in state.verdict.problems))[:_MAX_FOUND]
    if state.status in ("gave_up", "failed", "cancelled") and state.reason:
        return (state.reason[:_MAX_TEXT],)
    return ()
