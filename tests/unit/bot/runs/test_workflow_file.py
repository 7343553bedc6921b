"""What a workflow file adds to the graph, and what is refused with the node named."""

from pathlib import Path

import pytest

from bot.log.events import PhaseFinished
from bot.log.state import RunState, fold
from bot.runs.guards import Guard, Range
from bot.runs.workflow import Graph
from bot.runs.workflow_file import WorkflowInvalid, load_workflow
from runners.contract.nodes import AgentNode, CommandNode
from tests.support import logs

EVERY_KIND = """
nodes:
  licences: {kind: command, run: check-licences, before: publish}
  security_review: {kind: agent, prompt: security.md, output: {severity: {type: string}}}
  style: {kind: command, run: check-style}
  reviews: {kind: parallel, branches: [security_review, style], before: publish}
  risky:
    kind: conditional
    before: publish
    branches:
    - {when: {kind: [bug, feature], cost: {over: 1}}, to: sign_off}
  sign_off: {kind: human, ask: "May this be published?", to: {done: publish}}
"""


def load(tmp_path: Path, text: str) -> Graph:
    (tmp_path / "security.md").write_text("Look for holes.")
    path = tmp_path / "workflow.yml"
    path.write_text(text)
    return load_workflow(path)


def _spent(cost: float) -> RunState:
    state = fold(logs.entries(logs.VERIFYING))
    return state.model_copy(update={"spent": state.spent.model_copy(update={"cost": cost})})


def test_without_a_file_the_graph_is_the_built_in_one() -> None:
    graph = load_workflow(None)
    assert graph.follow("verify", "done", RunState()) == "publish" and not graph.runner


def test_nodes_come_before_a_phase_in_the_order_of_the_file(tmp_path: Path) -> None:
    graph = load(tmp_path, EVERY_KIND)
    cheap, dear = _spent(0.5), _spent(1.5)
    assert graph.follow("verify", "done", cheap) == "licences"
    assert graph.follow("verify", "chosen", cheap) == "licences"
    assert graph.follow("licences", "done", cheap) == "reviews"
    assert graph.follow("reviews", "done", cheap) == "publish", "the conditional node is passed"
    assert graph.follow("reviews", "done", dear) == "sign_off"
    assert graph.follow("sign_off", "done", dear) == "publish"
    review = graph.runner["security_review"]
    assert isinstance(review, AgentNode) and review.prompt == "Look for holes."
    assert isinstance(graph.runner["style"], CommandNode)


def test_a_node_sends_work_back_as_often_as_it_may(tmp_path: Path) -> None:
    graph = load(tmp_path, EVERY_KIND)
    state = RunState()
    assert graph.follow("licences", "red", state) == "implement"
    once = PhaseFinished(phase="node", node="licences", outcome="red")
    assert graph.follow("licences", "red", state.model_copy(update={"finished": (once,)})) == "conclude"


def test_a_gate_an_end_and_other_ways_between_phases(tmp_path: Path) -> None:
    graph = load(
        tmp_path,
        """
nodes:
  cheap: {kind: gate, require: {cost: {under: 1}}, before: publish}
  ask_first: {kind: human, ask: "It gave up. Once more?", to: {done: implement}}
  enough: {kind: end, say: "That is too much for one change."}
  size: {kind: conditional, branches: [{when: {scenarios: {over: 9}}, to: enough}], else: implement}
phases:
  specify: {done: size}
  implement: {gave_up: {to: ask_first, at_most: 2, else: end}}
""",
    )
    state = RunState()
    assert (
        graph.follow("verify", "done", state) == "cheap" and graph.follow("cheap", "red", state) == "conclude"
    )
    assert graph.follow("specify", "done", state) == graph.follow("specify", "approval", state) == "implement"
    spec = logs.SPEC.model_copy(update={"scenarios": ("s",) * 10})
    assert graph.follow("specify", "done", state, RunState(spec=spec)) == "enough", (
        "guards see what was written"
    )
    assert graph.follow("implement", "gave_up", state) == "ask_first"
    twice = (PhaseFinished(phase="implement", outcome="gave_up"),) * 2
    assert graph.follow("implement", "gave_up", RunState(finished=twice)) == "conclude"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("phases: {verify: {red: publish}}", "publish without verify and its outcome done"),
        ("phases: {implement: {done: {to: publish, at_most: 1, else: verify}}}", "publish without verify"),
        ("phases: {implement: {done: publish}}", "cannot be reached: verify"),
        ("phases: {specify: {done: verify}}", "implement"),
        ("phases: {verify: {gave_up: implement}}", "verify: gave_up can lead to nodes"),
        ("phases: {implement: {done: end}}", "implement: done cannot lead to `end`"),
        (
            "phases: {verify: {respecify: implement}}",
            "verify has no outcome respecify that can lead elsewhere",
        ),
        (
            "nodes:\n  a: {kind: human, ask: x, to: {done: implement}}\nphases: {implement: {gave_up: a}}",
            "cycle without a limit: a, implement",
        ),
        (
            "nodes:\n  a: {kind: human, ask: x, before: publish}\n"
            "  b: {kind: gate, require: {verdict: green}, before: publish}",
            "a leads to b: nothing is checked while a person is asked",
        ),
        ("nodes:\n  a: {kind: end, say: x}", "cannot be reached: a"),
        ("nodes:\n  a: {kind: gate, require: {verdict: green}}", "a does not say where `done` leads"),
        ("nodes:\n  a: {kind: command, run: x}", "a does not say where `done` leads"),
        ("nodes:\n  a: {kind: command, run: x, to: {done: publish}}", "cannot be reached: a"),
        ("nodes:\n  a: {kind: command, run: x, before: publish, to: {done: b}}", "a leads to b, which is no"),
        ("nodes:\n  a: {kind: command, run: x, before: publish, to: {good: b}}", "a has no outcome good"),
        (
            "nodes:\n  a: {kind: command, run: x, before: verify, to: {done: publish}}",
            "cannot be reached: verify",
        ),
        (
            "nodes:\n  a: {kind: command, run: x, before: publish, to: {red: implement}}",
            "cycle without a limit",
        ),
        ("nodes:\n  verify: {kind: command, run: x, before: publish}", "verify is the name of a phase"),
        ("nodes:\n  a: {kind: agent, prompt: no.md, before: publish}", "a: its prompt no.md cannot be read"),
        ("nodes:\n  a: {kind: parallel, branches: [b, c], before: publish}", "a: its branch b is no"),
        (
            "nodes:\n  a: {kind: human, ask: x, before: publish}\n  b: {kind: human, ask: y, before: publish}",
            "a leads",
        ),
        ("nodes:\n  a: {kind: robot}", "line 2"),
        ("nodes:\n  a: {kind: conditional, branches: [{when: {kind: bug}, to: publish}]}", "a needs `else`"),
    ],
)
def test_an_unsound_file_is_refused_with_the_node_named(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(WorkflowInvalid) as refused:
        load(tmp_path, text)
    assert says in refused.value.message


def test_a_guard_holds_when_all_of_it_does() -> None:
    state = _spent(1.5)
    assert Guard(kind="feature", cost=Range(over=1)).holds(state)
    assert Guard(kind=("bug", "feat*"), verdict="none").holds(state)
    assert not Guard(kind="feature", cost=Range(over=2)).holds(state)
    assert not Guard(repository="other/*").holds(state)
