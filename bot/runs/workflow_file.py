"""Read the operator's workflow file, named by ``SCENARIST_WORKFLOW_FILE``: nodes between a run's phases, and
other ways between them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from bot.runs.guards import Guard
from bot.runs.workflow import Graph, GraphUnsound, Link, built_in
from gherkin.errors import ScenaristError
from gherkin.values import Frozen
from gherkin.yamlfile import read_yaml
from runners.contract.nodes import AgentNode, CommandNode, ParallelNode, RunnerNode

_MAX_PROMPT = 20_000
Place = Literal["specify", "implement", "verify", "publish"]
Rewired = Literal["specify", "implement", "verify"]
# The outcomes of phases that may lead elsewhere. Work that gave up goes on only after a node.
_REWIRED: Mapping[Rewired, tuple[str, ...]] = {
    "specify": ("done",),
    "implement": ("done", "gave_up"),
    "verify": ("done", "red", "gave_up"),
}


class WorkflowInvalid(ScenaristError):
    """The operator's workflow file cannot be used."""

    code = "SCN-7020"
    next_step = "Correct the file that SCENARIST_WORKFLOW_FILE names; `docs/workflow.md` lists its keys."


class Route(Frozen):
    """Where an outcome leads."""

    to: str = Field(description="A phase, a node, or `end`: the run ends and its work is kept.")
    at_most: int | None = Field(default=None, ge=1, le=20, description="How often in a run.")
    otherwise: str = Field(default="end", alias="else", description="Where it leads after that.")


class _Placed(Frozen):
    before: Place | None = Field(
        default=None,
        description="The phase before which the node comes. Several nodes before one phase come in the order "
        "of the file. Not set: only other nodes lead to it.",
    )
    to: dict[str, Route | str] = Field(
        default={},
        description="Where each outcome leads. Not set: `done` to what it was put before; `red` to "
        "`implement` once, then to the end.",
    )


class PlacedCommand(CommandNode, _Placed): ...


class PlacedAgent(AgentNode, _Placed): ...


class PlacedParallel(ParallelNode, _Placed): ...


class Human(_Placed):
    """The run waits until somebody with rights approves it."""

    kind: Literal["human"]
    ask: str = Field(min_length=1, max_length=2000, description="What people are asked, as Markdown.")


class GateNode(_Placed):
    """Lets a run pass if a guard holds."""

    kind: Literal["gate"]
    require: Guard = Field(description="What must hold of the run, all of it.")


class EndNode(Frozen):
    """Ends the run; its work is kept as a draft or patch."""

    kind: Literal["end"]
    say: str = Field(min_length=1, max_length=1000, description="Why the run ends, for people.")


class Branch(Frozen):
    """Where a run goes if `when` holds for it."""

    when: Guard
    to: str


class Conditional(Frozen):
    """A choice that depends on the run's state: the first branch that holds is taken."""

    kind: Literal["conditional"]
    before: Place | None = Field(default=None, description="As for other nodes.")
    branches: tuple[Branch, ...] = Field(min_length=1, description="Tried in their order.")
    otherwise: str = Field(
        default="", alias="else", description="Where other runs go. Not set: to what it was put before."
    )


Node = Annotated[
    PlacedCommand | PlacedAgent | PlacedParallel | Human | Conditional | GateNode | EndNode,
    Field(discriminator="kind"),
]


class WorkflowFile(Frozen):
    """The keys of the workflow file."""

    nodes: dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")], Node] = Field(
        default={}, description="The operator's nodes by name."
    )
    phases: dict[Rewired, dict[str, Route | str]] = Field(
        default={}, description="Other ways between phases: phase, then outcome, then where it leads."
    )
    most_steps: int = Field(
        default=500, ge=10, le=5000, description="Phases and nodes of a run at most, all tries together."
    )


def load_workflow(path: Path | None) -> Graph:
    """Read the workflow file; without a `path` return the built-in graph. Raises `WorkflowInvalid`."""
    if path is None:
        return built_in()
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise WorkflowInvalid(f"{path} cannot be read: {error}.") from None
    given = read_yaml(text, path.name, WorkflowFile, WorkflowInvalid)
    try:
        return graph_of(given, path.parent)
    except (GraphUnsound, ValueError) as error:
        raise WorkflowInvalid(f"{path.name}: {error}") from None


def graph_of(given: WorkflowFile, folder: Path) -> Graph:
    """Return the built-in graph with the nodes of the file; prompts are read from below `folder`.

    Raises `GraphUnsound` or `ValueError`, which name the node.
    """
    graph = built_in()
    edges = dict(graph.edges)
    runner: dict[str, RunnerNode] = {}
    asks: dict[str, str] = {}
    ways: dict[str, tuple[tuple[Guard, str], ...]] = {}
    following: dict[str, str] = {}
    first: dict[str, str] = {}
    gates: dict[str, Guard] = {}
    ends: dict[str, str] = {}
    for place in ("specify", "implement", "verify", "publish"):
        chain = [name for name, node in given.nodes.items() if getattr(node, "before", None) == place]
        if chain:
            following |= zip(chain, [*chain[1:], place], strict=True)
            first[place] = chain[0]
            entries = {key: link for key, link in graph.edges.items() if link.to == place}
            # What goes back to a phase, such as a red verdict, goes there at once.
            edges |= {
                key: link.model_copy(update={"to": chain[0]})
                for key, link in entries.items()
                if not link.bounded
            }
    for name, node in given.nodes.items():
        if name in graph.phases or name == "end":
            raise GraphUnsound(f"{name} is the name of a phase.")
        if isinstance(node, Conditional):
            ways[name] = tuple((branch.when, _known(branch.to)) for branch in node.branches)
            target = node.otherwise or following.get(name)
            if target is None:
                raise GraphUnsound(f"{name} needs `else` or `before`.")
            edges[name, "done"] = Link(to=_known(target))
            continue
        if isinstance(node, EndNode):
            ends[name] = node.say
            continue
        if isinstance(node, Human):
            asks[name] = node.ask
        elif isinstance(node, GateNode):
            gates[name] = node.require
        else:
            runner[name] = _runner_node(name, node, folder)
        outcomes = ("done",) if isinstance(node, Human) else ("done", "red")
        if wrong := set(node.to) - set(outcomes):
            raise GraphUnsound(f"{name} has no outcome {wrong.pop()}; it has {' and '.join(outcomes)}.")
        branch_of = [each for each, other in given.nodes.items() if name in getattr(other, "branches", ())]
        if isinstance(node, PlacedAgent | PlacedCommand) and branch_of and not node.before and not node.to:
            continue  # it has no way of its own
        for outcome in outcomes:
            route = node.to.get(outcome)
            if isinstance(node, GateNode) and outcome == "red" and route is None:
                route = "end"  # no driver can change what a run has cost
            edges[name, outcome] = _link(name, outcome, route, following)
    edges |= _rewired(given, edges)
    more = {"runner": runner, "asks": asks, "ways": ways, "first": first, "gates": gates, "ends": ends}
    return graph.extended(edges, **more, most_steps=given.most_steps)


def _rewired(given: WorkflowFile, edges: Mapping[tuple[str, str], Link]) -> dict[tuple[str, str], Link]:
    """Return the edges of phases that the file leads elsewhere. Raises `GraphUnsound`."""
    found: dict[tuple[str, str], Link] = {}
    for phase, ways in given.phases.items():
        for outcome, route in ways.items():
            if outcome not in _REWIRED[phase]:
                known = ", ".join(_REWIRED[phase])
                raise GraphUnsound(
                    f"{phase} has no outcome {outcome} that can lead elsewhere; it has {known}."
                )
            link = _link(phase, outcome, route, {})
            targets = {*link.targets}
            if outcome == "gave_up" and not targets <= {*given.nodes, "conclude"}:
                raise GraphUnsound(f"{phase}: gave_up can lead to nodes and `end` only.")
            if outcome == "done" and "conclude" in targets:
                raise GraphUnsound(f"{phase}: done cannot lead to `end`; lead it to a node of the kind end.")
            found[phase, outcome] = link.model_copy(update={"bounded": edges[phase, outcome].bounded})
            if (phase, outcome) == ("specify", "done"):
                found[phase, "approval"] = found[phase, outcome]
    return found


def _link(name: str, outcome: str, route: Route | str | None, following: dict[str, str]) -> Link:
    if isinstance(route, str):
        return Link(to=_known(route))
    if route is not None:
        return Link(to=_known(route.to), at_most=route.at_most, otherwise=_known(route.otherwise))
    if outcome == "red":
        late = following.get(name) not in ("specify", "implement")
        return Link(to="implement", at_most=1, otherwise="conclude") if late else Link(to="conclude")
    if name not in following:
        raise GraphUnsound(f"{name} does not say where `done` leads: it needs `to` or `before`.")
    return Link(to=following[name])


def _known(target: str) -> str:
    return "conclude" if target == "end" else target


def _runner_node(name: str, node: PlacedCommand | PlacedAgent | PlacedParallel, folder: Path) -> RunnerNode:
    """Return the node as runners know it, an agent with the text of its prompt. Raises `ValueError`."""
    given: dict[str, Any] = node.model_dump(exclude={"before", "to"})
    if isinstance(node, PlacedAgent):
        try:
            given["prompt"] = (folder / node.prompt).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ValueError(f"{name}: its prompt {node.prompt} cannot be read: {error}.") from None
        if not 0 < len(given["prompt"].strip()) <= _MAX_PROMPT:
            raise ValueError(f"{name}: its prompt must have 1 to {_MAX_PROMPT:,} characters.")
        return AgentNode.model_validate(given)
    if isinstance(node, PlacedParallel):
        return ParallelNode.model_validate(given)
    return CommandNode.model_validate(given)
