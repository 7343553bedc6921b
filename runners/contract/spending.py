"""What each event of a run has used: turns, tokens, dollars, seconds, and rounds (verdicts)."""

from collections.abc import Iterable
from functools import reduce

from runners.contract.budget import Spent
from runners.contract.events import ModelReplied, ToolCalled, VerdictReached


def after_event(spent: Spent, event: object) -> Spent:
    """Return what is spent after one more event; events that cost nothing change nothing."""
    match event:
        case ModelReplied():
            return spent.after(event.reply.usage, event.seconds, event.cost)
        case ToolCalled():
            return spent.model_copy(update={"seconds": spent.seconds + event.seconds})
        case VerdictReached():
            return spent.model_copy(update={"rounds": spent.rounds + 1})
        case _:
            return spent


def spent_in(events: Iterable[object]) -> Spent:
    """Return what these events have used together."""
    return reduce(after_event, events, Spent())
