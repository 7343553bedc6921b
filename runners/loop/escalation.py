"""Decides when the next, stronger model takes over."""

from collections.abc import Sequence

from runners.contract.events import ModelSwitched, RunnerEvent, VerdictReached

TAKEN_OVER = "The previous engineer got stuck, and you take over. What was tried is above; it may be wrong."


def level_of(events: Sequence[RunnerEvent]) -> int:
    """Return how often another model took over the driver's work."""
    return sum(isinstance(event, ModelSwitched) for event in events)


def too_many_reds(events: Sequence[RunnerEvent], bound: int) -> str:
    """Return why the next model takes over, or an empty text.

    The reason is `bound` red verdicts since the last switch.
    """
    reds = 0
    for event in events:
        if isinstance(event, ModelSwitched):
            reds = 0
        elif isinstance(event, VerdictReached) and not event.verdict.green:
            reds += 1
    return f"{reds} red verdict{'s' if reds > 1 else ''}" if reds >= bound else ""
