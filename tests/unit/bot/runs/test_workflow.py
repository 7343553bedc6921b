"""The graph of phases is sound, and an unsound one is refused."""

from pathlib import Path
from typing import get_args

import pytest

from bot.log.events import Phase
from bot.log.state import RunState
from bot.runs.workflow import QUEUES, GraphUnsound, Link, built_in, check, drawn


def test_the_graph_is_sound() -> None:
    check()
    assert set(QUEUES) == set(get_args(Phase))


def test_an_unreachable_phase_is_refused() -> None:
    graph = built_in()
    with pytest.raises(GraphUnsound, match="publish"):
        graph.extended({edge: link for edge, link in graph.edges.items() if link.to != "publish"})


def test_a_cycle_without_a_bound_is_refused() -> None:
    graph = built_in()
    free = {edge: link.model_copy(update={"bounded": False}) for edge, link in graph.edges.items()}
    with pytest.raises(GraphUnsound, match="cycle"):
        graph.extended(free)
    with pytest.raises(GraphUnsound, match="cycle"):
        graph.extended({**graph.edges, ("publish", "again"): Link(to="prepare")})


def test_a_way_around_the_verdict_is_refused() -> None:
    graph = built_in()
    with pytest.raises(GraphUnsound, match="without verify"):
        graph.extended({**graph.edges, ("implement", "sure"): Link(to="publish")})


def test_any_phase_may_fail_and_is_told_about() -> None:
    assert built_in().follow("implement", "failed", RunState()) == "conclude"
    assert built_in().follow("conclude", "failed", RunState()) is None


def test_the_built_in_graph_is_drawn_in_the_documents() -> None:
    page = Path(__file__).parents[4] / "docs" / "workflow.md"
    assert drawn(built_in()) in page.read_text(encoding="utf-8").replace("    ", "")
