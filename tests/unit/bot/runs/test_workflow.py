"""The graph of phases is sound, and an unsound one is refused."""

import pytest

from bot.runs.workflow import BOUNDED, EDGES, GraphUnsound, check, next_phase


def test_the_graph_is_sound() -> None:
    check()


def test_an_unreachable_phase_is_refused() -> None:
    edges = {edge: target for edge, target in EDGES.items() if target != "publish"}
    with pytest.raises(GraphUnsound, match="publish"):
        check(edges)


def test_a_cycle_without_a_bound_is_refused() -> None:
    with pytest.raises(GraphUnsound, match="cycle"):
        check(bounded=frozenset())
    with pytest.raises(GraphUnsound, match="cycle"):
        check({**EDGES, ("publish", "again"): "prepare"}, BOUNDED)


def test_any_phase_may_fail_and_is_told_about() -> None:
    assert next_phase("implement", "failed") == "conclude"
    assert next_phase("conclude", "failed") is None
