"""`routing: measured`: the model of a role is chosen by what runs with each of the listed ones came to."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from gherkin.values import Frozen
from runners.models.runtimes import AgentSpec, ModelRole, RuntimeSpec

# What counts as the work of a role, by the names of `ModelReplied.phase`.
WORK: Mapping[ModelRole, frozenset[str]] = {
    "analyst": frozenset({"specify", "examples", "remarks", "split", "glossary"}),
    "driver": frozenset({"implement", "condense", "setup"}),
    "navigator": frozenset({"navigate", "pair"}),
    "reviewer": frozenset({"review", "critique", "node"}),
}
# A runtime with a smaller share of the best one's success is not chosen, however cheap it is.
_WORTH = 0.5


class ModelUse(Frozen):
    """What one model did in one kind of work of a run; `cost` is in US dollars."""

    work: str
    model: str
    turns: int
    tokens: int
    cost: float


class RunResult(Frozen):
    """What a run came to: whether its work was proven and not turned down; None as long as it is open.

    `kind` is that of its scenarios, `routed` the runtime of each role that was chosen by routing.
    """

    kind: str = ""
    success: bool | None = None
    routed: dict[str, str] = {}
    uses: tuple[ModelUse, ...] = ()


class RoutingChoice(NamedTuple):
    """The runtime that is chosen, and why: a clause that goes on from "because"."""

    runtime: str
    reason: str


class _Measured(NamedTuple):
    """What finished runs with one runtime came to; `rate` is estimated by Laplace's rule of succession."""

    runtime: str
    runs: int
    rate: float
    cost: float
    tokens: float

    def __str__(self) -> str:
        price = f" at {self.cost:.4f} US dollars each" if self.cost else ""
        return f"{self.runtime} has {self.rate:.0%} expected success after {self.runs} runs{price}"


def choose(
    role: ModelRole,
    agent: AgentSpec,
    runtimes: Mapping[str, RuntimeSpec],
    kind: str,
    results: Sequence[RunResult],
) -> RoutingChoice:
    """Return the runtime for `role` in a run of this `kind` (empty: not known yet).

    Each listed runtime is tried in `agent.least_runs` runs first, the one with the fewest before the others.
    After that the one with the most expected success per US dollar is chosen, or without prices the one with
    the most success, then the fewest tokens. Runs of the same kind count alone where each runtime has enough
    of them. The same `results` always give the same answer.
    """
    listed = list(dict.fromkeys((agent.runtime, *agent.among)))
    known = {name: [each for each in results if _is_of(each, role, name, runtimes)] for name in listed}
    tried = {name: len(found) for name, found in known.items()}
    fewest = min(listed, key=lambda name: tried[name])
    if tried[fewest] < agent.least_runs:
        return RoutingChoice(
            fewest, f"it was tried in {tried[fewest]} runs, and each is tried in {agent.least_runs} first"
        )
    ended = {name: [each for each in found if each.success is not None] for name, found in known.items()}
    alike = {name: [each for each in found if each.kind == kind] for name, found in ended.items()}
    if kind and all(len(found) >= agent.least_runs for found in alike.values()):
        ended = alike
    measured = [_measured(role, name, found) for name, found in ended.items()]
    within = [each for each in measured if agent.most_cost is None or each.cost <= agent.most_cost]
    if not within:
        cheapest = min(measured, key=lambda each: each.cost)
        return RoutingChoice(cheapest.runtime, f"all cost more than {agent.most_cost:g} US dollars a run")
    best = max(each.rate for each in within)
    able = [each for each in within if each.rate >= best * _WORTH]
    free = [each for each in able if not each.cost]
    if free:
        ranked = sorted(free, key=lambda each: (-each.rate, each.tokens))
    else:
        ranked = sorted(able, key=lambda each: -each.rate / each.cost)
    others = [str(each) for each in measured if each.runtime != ranked[0].runtime]
    return RoutingChoice(ranked[0].runtime, "; ".join([str(ranked[0]), *others]))


def _is_of(result: RunResult, role: ModelRole, runtime: str, runtimes: Mapping[str, RuntimeSpec]) -> bool:
    """Return whether a run had this runtime in the role: as routed, or by the model with the most turns."""
    if role in result.routed:
        return result.routed[role] == runtime
    uses = [each for each in result.uses if each.work in WORK[role]]
    if not uses:
        return False
    model = max(uses, key=lambda each: each.turns).model
    served = [name for name, spec in runtimes.items() if model in (name, spec.model)]
    return served == [runtime]


def _measured(role: ModelRole, runtime: str, results: Sequence[RunResult]) -> _Measured:
    uses = [use for each in results for use in each.uses if use.work in WORK[role]]
    count = max(1, len(results))
    return _Measured(
        runtime,
        len(results),
        (sum(each.success is True for each in results) + 1) / (len(results) + 2),
        sum(each.cost for each in uses) / count,
        sum(each.tokens for each in uses) / count,
    )
