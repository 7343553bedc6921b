"""The graph of phases as data, and the check of this graph."""

from collections.abc import Mapping
from typing import Literal, get_args

from bot.log.events import BESIDE, Phase, Status

Queue = Literal["publish", "runs"]

START: Phase = "prepare"

# The queue of each phase: `publish` workers have forge credentials, `runs` workers have none.
QUEUES: Mapping[Phase, Queue] = {
    "prepare": "publish",
    "specify": "runs",
    "baseline": "runs",
    "implement": "runs",
    "verify": "runs",
    "publish": "publish",
    "survey": "runs",
    "propose": "publish",
    "conclude": "publish",
}

# (phase, outcome) -> next phase, or None: the run ends.
EDGES: Mapping[tuple[Phase, str], Phase | None] = {
    ("prepare", "done"): "specify",
    ("prepare", "gave_up"): "conclude",
    ("prepare", "onboard"): "survey",
    ("survey", "done"): "propose",
    ("propose", "done"): None,
    ("propose", "gave_up"): "conclude",
    ("specify", "done"): "implement",
    ("specify", "approval"): "implement",
    ("specify", "needs_info"): "conclude",
    ("specify", "gave_up"): "conclude",
    ("implement", "done"): "verify",
    ("implement", "candidate"): "implement",
    ("implement", "chosen"): "publish",
    ("implement", "needs_info"): "conclude",
    ("implement", "gave_up"): "conclude",
    ("verify", "done"): "publish",
    ("verify", "red"): "implement",
    ("verify", "candidate"): "implement",
    ("verify", "chosen"): "publish",
    ("verify", "respecify"): "specify",
    ("verify", "gave_up"): "conclude",
    ("publish", "done"): None,
    ("publish", "gave_up"): "conclude",
    ("conclude", "done"): None,
}

# Edges with a limit on their use; without them the graph must have no cycle.
# `budget.rounds` limits the first; the second is used once in a run; `candidates.count` limits the others.
BOUNDED: frozenset[tuple[Phase, str]] = frozenset(
    {("verify", "red"), ("verify", "respecify"), ("verify", "candidate"), ("implement", "candidate")}
)


# Any phase may fail. People are told, and the run ends.
FAILED = "failed"

# Any phase may be cancelled from outside. People are told, and the run ends.
CANCELLED = "cancelled"


class GraphUnsound(ValueError):
    """The graph has a phase that cannot be reached, a phase without a queue, or a cycle without a limit."""


def next_phase(phase: Phase, outcome: str) -> Phase | None:
    """Return the phase after `phase` with `outcome`, or None if the run ends."""
    if outcome == FAILED:
        return None if phase == "conclude" else "conclude"
    return EDGES[phase, outcome]


def goes_on(phase: Phase, outcome: str) -> bool:
    """Return whether a run continues to work after `phase` ended with `outcome`."""
    return next_phase(phase, outcome) not in (None, "conclude")


def end_status(outcome: str) -> Status:
    """Return the status of a run whose last working phase ended with `outcome`."""
    statuses: dict[str, Status] = {
        "done": "done",
        "needs_info": "needs_info",
        "gave_up": "gave_up",
        CANCELLED: "cancelled",
        FAILED: "failed",
    }
    return statuses[outcome]


def check(
    edges: Mapping[tuple[Phase, str], Phase | None] = EDGES,
    bounded: frozenset[tuple[Phase, str]] = BOUNDED,
    start: Phase = START,
    beside: Mapping[Phase, Phase] = BESIDE,
) -> None:
    """Check the graph. Raises `GraphUnsound`."""
    targets: dict[Phase, set[Phase]] = {phase: set() for phase in get_args(Phase)}
    free: dict[Phase, set[Phase]] = {phase: set() for phase in get_args(Phase)}
    for (phase, outcome), target in edges.items():
        if target is not None:
            targets[phase].add(target)
            if (phase, outcome) not in bounded:
                free[phase].add(target)
    reached: set[Phase] = set()
    queue: list[Phase] = [start]
    while queue:
        phase = queue.pop()
        if phase not in reached:
            reached.add(phase)
            queue.extend(targets[phase])
            queue.extend(other for host, other in beside.items() if host == phase)
    lost = set(targets) - reached
    if lost:
        raise GraphUnsound(f"These phases cannot be reached: {', '.join(sorted(lost))}.")
    if set(QUEUES) != set(targets):
        raise GraphUnsound("Every phase needs a queue.")
    for host, other in beside.items():
        if QUEUES[host] != QUEUES[other] or targets[other]:
            raise GraphUnsound(f"{other} cannot be done beside {host}: it has edges or another queue.")
    _refuse_cycles(free)


def _refuse_cycles(free: Mapping[Phase, set[Phase]]) -> None:
    left = {phase: set(targets) for phase, targets in free.items()}
    while left:
        leaves = [phase for phase, targets in left.items() if not targets & set(left)]
        if not leaves:
            raise GraphUnsound(f"There is a cycle without a limit: {', '.join(sorted(left))}.")
        for phase in leaves:
            del left[phase]
