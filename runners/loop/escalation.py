"""When the next model up takes over."""

from collections.abc import Sequence

from runners.contract.events import ModelSwitched, RunnerEvent, VerdictReached

TAKEN_OVER = (
    "The engineer before you got stuck, and you take over. Look at the work with fresh eyes: what has been tried is above, "
    "and need not be right."
)


def level_of(events: Sequence[RunnerEvent]) -> int:
    """How often the driver's work went over to another model."""
    return sum(isinstance(event, ModelSwitched) for event in events)


def too_many_reds(events: Sequence[RunnerEvent], bound: int) -> str:
    """Why the next model takes over: as many red verdicts as `bound` since the last switch; empty if there are not."""
    reds = 0
    for event in events:
        if isinstance(event, ModelSwitched):
            reds = 0
        elif isinstance(event, VerdictReached) and not event.verdict.green:
            reds += 1
    return f"{reds} red verdict{'s' if reds > 1 else ''}" if reds >= bound else ""
