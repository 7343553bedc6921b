"""The graph of phases as data, the way of a run through it, and the check of this graph."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, NamedTuple

from bot.log.events import BESIDE, Entry, Event, Phase, PhaseFinished, Status
from bot.log.state import RunState, fold
from bot.runs.guards import Guard
from gherkin.values import Frozen
from runners.contract.events import PromptSent
from runners.contract.nodes import RunnerNode, RunnerNodes

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
    "node": "runs",
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
    ("verify", "critique"): "implement",
    ("verify", "candidate"): "implement",
    ("verify", "chosen"): "publish",
    ("verify", "respecify"): "specify",
    ("verify", "gave_up"): "conclude",
    ("publish", "done"): None,
    ("publish", "gave_up"): "conclude",
    ("conclude", "done"): None,
}

# Edges with a limit on their use; without them the graph must have no cycle.
# `budget.rounds` limits the first; the second is used once in a run, the third once for each candidate;
# `candidates.count` limits the others.
BOUNDED: frozenset[tuple[Phase, str]] = frozenset(
    {
        ("verify", "red"),
        ("verify", "respecify"),
        ("verify", "critique"),
        ("verify", "candidate"),
        ("implement", "candidate"),
    }
)


# What must have ended, and how, before a phase can do its work: scenarios, a change, a green verdict.
_ONLY_AFTER: Mapping[Phase, tuple[Phase, tuple[str, ...]]] = {
    "implement": ("specify", ("done", "approval")),
    "verify": ("implement", ("done",)),
    "publish": ("verify", ("done", "chosen")),
}


# Any phase may fail. People are told, and the run ends.
FAILED = "failed"

# Any phase may be cancelled from outside. People are told, and the run ends.
CANCELLED = "cancelled"

# The phase in which a worker does the node of an operator that the log names.
NODE: Phase = "node"
_STATUSES: Mapping[str, Status] = {
    "done": "done",
    "needs_info": "needs_info",
    "gave_up": "gave_up",
    CANCELLED: "cancelled",
    FAILED: "failed",
}


class GraphUnsound(ValueError):
    """The graph has a node that cannot be reached or leads nowhere, or a cycle without a limit."""


class Link(Frozen):
    """Where an outcome leads (None: the run ends).

    After `at_most` uses in a run it leads to `otherwise`. With `bounded` a phase limits its use itself.
    """

    to: str | None
    at_most: int | None = None
    otherwise: str = "conclude"
    bounded: bool = False

    @property
    def targets(self) -> tuple[str, ...]:
        """Return all that it can lead to."""
        return tuple(each for each in (self.to, self.otherwise if self.at_most else None) if each is not None)


@dataclass(frozen=True)
class Graph:
    """The phases of a run and the operator's nodes between them.

    `edges` are by node and outcome. `runner` are the nodes that runners do, `asks` what people are asked at
    the human nodes, and `ways` the guarded ways of the conditional ones. `first` is the first node that comes
    before a phase. `gates` are what must hold at the gates, and `ends` what is said where an end node ends a
    run. A run takes at most `most_steps`.
    """

    phases: Mapping[Phase, Queue]
    edges: Mapping[tuple[str, str], Link]
    beside: Mapping[Phase, Phase]
    runner: Mapping[str, RunnerNode] = field(default_factory=dict)
    asks: Mapping[str, str] = field(default_factory=dict)
    ways: Mapping[str, tuple[tuple[Guard, str], ...]] = field(default_factory=dict)
    first: Mapping[str, str] = field(default_factory=dict)
    gates: Mapping[str, Guard] = field(default_factory=dict)
    ends: Mapping[str, str] = field(default_factory=dict)
    most_steps: int = 500

    def extended(self, edges: Mapping[tuple[str, str], Link], **more: Any) -> "Graph":
        """Return the graph with other `edges` and an operator's nodes. Raises `GraphUnsound`."""
        graph = replace(self, edges=edges, **more)
        check(graph)
        return graph

    def is_node(self, name: str) -> bool:
        """Return whether `name` is a node of the operator's."""
        return name in self.own

    @property
    def own(self) -> frozenset[str]:
        """Return the names of all nodes of the operator's."""
        return frozenset({*self.runner, *self.asks, *self.ways, *self.gates, *self.ends})

    def follow(self, at: str, outcome: str, state: RunState, after: RunState | None = None) -> str | None:
        """Return the phase or node after `at` with `outcome`, or None if the run ends.

        `state` is the run's before `at` ended, and `after` the one that guards see (None: the same).
        Conditional nodes are passed.
        """
        if outcome == FAILED:
            return None if at == "conclude" else "conclude"
        link = self.edges[at, outcome]
        used = sum(each.node_or_phase == at and each.outcome == outcome for each in state.finished)
        target = link.otherwise if link.at_most is not None and used >= link.at_most else link.to
        target = self.passed(target, after or state)
        if target == "implement" and self.is_node(at) and state.chosen is not None:
            # The conversation is that of the last candidate, which need not be the chosen one.
            return link.otherwise
        return target

    def passed(self, target: str | None, state: RunState) -> str | None:
        """Return `target`, or what comes after it if it is a conditional node."""
        while target is not None and (ways := self.ways.get(target)):
            otherwise = self.edges[target, "done"].to
            target = next((to for guard, to in ways if guard.holds(state)), otherwise)
        return target


def built_in() -> Graph:
    """Return the graph without nodes of an operator's."""
    edges: dict[tuple[str, str], Link] = {
        key: Link(to=to, bounded=key in BOUNDED) for key, to in EDGES.items()
    }
    return Graph(phases=QUEUES, edges=edges, beside=BESIDE)


class Following(NamedTuple):
    """The phase or node that is next (None: the run ends), and what the log says of the way there."""

    target: str | None
    events: tuple[Event, ...]


def following(
    graph: Graph, at: str, state: RunState, new: Sequence[Event], ended: PhaseFinished
) -> Following:
    """Return what follows `at`, which ended as `ended` says; `new` are its last events.

    `state` is the run's before them. Guards see the state after them. What ends the run otherwise than a
    phase does, such as a check that has nothing left to try, gets the outcome ``gave_up``.
    """
    after = _after(state, [*new, ended])
    target = graph.follow(at, ended.outcome, state, after)
    if target == "conclude" and ended.outcome != FAILED:
        if not ends_well_known(ended.outcome) or ended.outcome == "done":
            ended = ended.model_copy(update={"outcome": "gave_up"})
    elif ended.node:
        # What a node found is the reason of the run's end only if it leads nowhere else.
        ended = ended.model_copy(update={"reason": ""})
    passed = through(graph, target, _after(state, [*new, ended]))
    return Following(passed.target, (ended, *passed.events))


def through(graph: Graph, target: str | None, state: RunState) -> Following:
    """Return where a run in `state` gets from `target` by passing gates and end nodes."""
    events: list[Event] = []
    while target is not None and (target in graph.gates or target in graph.ends):
        name = target
        if name in graph.ends:
            events.append(PhaseFinished(phase=NODE, outcome="gave_up", reason=graph.ends[name], node=name))
            return Following("conclude", tuple(events))
        outcome = "done" if graph.gates[name].holds(state) else "red"
        passed = PhaseFinished(phase=NODE, outcome=outcome, node=name)
        target = graph.follow(name, outcome, state, state)
        said = f"The gate `{name}` lets only a run pass with {graph.gates[name]}."
        new: list[Event] = [passed]
        if outcome == "red" and target == "conclude":
            new = [passed.model_copy(update={"outcome": "gave_up", "reason": said})]
        elif outcome == "red":
            new.append(
                PromptSent(reason="node", text=f"{said} Change what is in the way, then call `finish`.")
            )
        events += new
        state = _after(state, new)
    return Following(target, tuple(events))


def _after(state: RunState, new: Sequence[Event]) -> RunState:
    return fold([Entry(seq=state.seq, at=state.updated_at, event=event) for event in new], state)


def next_phase(phase: Phase, outcome: str) -> Phase | None:
    """Return the phase after `phase` with `outcome` in the built-in graph, or None if the run ends."""
    if outcome == FAILED:
        return None if phase == "conclude" else "conclude"
    return EDGES[phase, outcome]


def goes_on(phase: Phase, outcome: str) -> bool:
    """Return whether a run continues to work after the built-in `phase` ended with `outcome`."""
    return outcome != FAILED and EDGES[phase, outcome] not in (None, "conclude")


def drawn(graph: Graph) -> str:
    """Return the graph as text: a line for each phase and node, with where each outcome leads."""
    lines = []
    for node in dict.fromkeys(name for name, _ in graph.edges):
        ways = [
            f"{outcome} → {link.to or 'end of the run'}{' (bounded)' if link.bounded or link.at_most else ''}"
            for (name, outcome), link in graph.edges.items()
            if name == node
        ]
        lines.append(f"{node}: {', '.join(ways)}")
    return "\n".join(lines)


def end_status(outcome: str) -> Status:
    """Return the status of a run whose last working phase ended with `outcome`."""
    return _STATUSES[outcome]


def ends_well_known(outcome: str) -> bool:
    """Return whether a run can end after a phase or node with `outcome`."""
    return outcome in _STATUSES


def check(graph: Graph | None = None, start: Phase = START) -> None:
    """Check the graph (None: the built-in one). Raises `GraphUnsound`, which names the node."""
    graph = graph or built_in()
    own = graph.own
    branches = {name for node in graph.runner.values() for name in getattr(node, "branches", ())}
    placed = {name for name, _ in graph.edges} & own
    nodes = {*graph.phases, *own} - {NODE} - (branches - placed)
    targets: dict[str, set[str]] = {node: {"conclude"} if node in graph.ends else set() for node in nodes}
    free: dict[str, set[str]] = {node: set() for node in nodes}
    for (node, _), link in graph.edges.items():
        ways = [to for _, to in graph.ways.get(node, ())]
        for target in (*link.targets, *ways):
            if target not in nodes:
                raise GraphUnsound(f"{node} leads to {target}, which is no phase and no node.")
            targets[node].add(target)
            if not link.bounded and not (link.at_most is not None and target == link.to):
                free[node].add(target)
    _refuse_unreachable(graph, targets, start)
    for host, other in graph.beside.items():
        if graph.phases[host] != graph.phases[other] or targets[other]:
            raise GraphUnsound(f"{other} cannot be done beside {host}: it has edges or another queue.")
    _refuse_cycles(free)
    _refuse_humans_in_a_row(graph)
    RunnerNodes(nodes=dict(graph.runner))
    for target, (source, outcomes) in _ONLY_AFTER.items():
        _refuse_around(graph, nodes, start, target, [(source, outcome) for outcome in outcomes])


def _refuse_around(
    graph: Graph, nodes: Collection[str], start: str, target: str, needed: Sequence[tuple[str, str]]
) -> None:
    """Refuse a way to the phase `target` that takes none of the edges `needed`."""
    around: dict[str, set[str]] = {node: {to for _, to in graph.ways.get(node, ())} for node in nodes}
    for key, link in graph.edges.items():
        # A chosen candidate has had its verdict.
        if key not in needed and key != ("implement", "chosen"):
            around[key[0]] |= {*link.targets}
    if target in _reached(graph, around, start):
        source, outcome = needed[0]
        raise GraphUnsound(f"A way leads to {target} without {source} and its outcome {outcome}.")


def _reached(graph: Graph, targets: Mapping[str, set[str]], start: str) -> set[str]:
    reached: set[str] = set()
    queue = [start]
    while queue:
        node = queue.pop()
        if node not in reached:
            reached.add(node)
            queue.extend(targets[node])
            queue.extend(other for host, other in graph.beside.items() if host == node)
    return reached


def _refuse_unreachable(graph: Graph, targets: Mapping[str, set[str]], start: str) -> None:
    lost = set(targets) - _reached(graph, targets, start)
    if lost:
        raise GraphUnsound(f"These phases cannot be reached: {', '.join(sorted(lost))}.")


def _refuse_humans_in_a_row(graph: Graph) -> None:
    for name in graph.asks:
        pending, seen = [graph.edges[name, "done"].to], set[str]()
        while pending:
            target = pending.pop()
            if target in graph.asks:
                raise GraphUnsound(f"{name} leads to {target}: two human nodes in a row.")
            if target in graph.gates or target in graph.ends:
                raise GraphUnsound(f"{name} leads to {target}: nothing is checked while a person is asked.")
            if target is not None and target in graph.ways and target not in seen:
                seen.add(target)
                pending += [graph.edges[target, "done"].to, *(to for _, to in graph.ways[target])]


def _refuse_cycles(free: Mapping[str, set[str]]) -> None:
    left = {node: set(targets) for node, targets in free.items()}
    while left:
        leaves = [node for node, targets in left.items() if not targets & set(left)]
        if not leaves:
            raise GraphUnsound(f"There is a cycle without a limit: {', '.join(sorted(left))}.")
        for node in leaves:
            del left[node]
