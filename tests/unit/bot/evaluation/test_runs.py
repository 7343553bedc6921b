"""What is read from a run's log."""

from typing import Any, get_args

import pytest

from bot.evaluation.harness import mode_of
from bot.evaluation.runs import _ROLES, infra_reason, refusal_of, uses_of
from bot.log.events import Entry, Event
from bot.log.state import RunState
from runners.contract.events import ModelPhase, ModelReplied, ToolCalled
from runners.models.chat import Reply, TokenUsage
from tests.standins.chat_server import call


def entries(*events: Event) -> list[Entry]:
    return [Entry(seq=at, at="2026-01-01T00:00:00+00:00", event=event) for at, event in enumerate(events, 1)]


def called(name: str) -> ToolCalled:
    return ToolCalled(call=call(name), ok=True, text="", seconds=0.0)


def test_each_phase_of_a_model_has_a_role() -> None:
    assert set(_ROLES) == set(get_args(ModelPhase))


def test_turns_tokens_and_cost_are_added_up_by_role_and_model() -> None:
    reply = Reply(text="", usage=TokenUsage(prompt_tokens=10, completion_tokens=5), model="m")
    replied: Any = [
        ModelReplied(phase=phase, reply=reply, seconds=1.0, runtime=runtime, cost=0.25)
        for phase, runtime in (("specify", "claude"), ("implement", "qwen"), ("condense", "qwen"))
    ]
    found = {
        (each.role, each.model): (each.turns, each.tokens, each.cost) for each in uses_of(entries(*replied))
    }
    assert found == {("analyst", "claude"): (1, 15, 0.25), ("driver", "qwen"): (2, 30, 0.5)}


@pytest.mark.parametrize(
    ("status", "last", "refused"),
    [
        ("needs_info", "ask", "ask"),
        ("needs_info", "read_file", "ask"),
        ("gave_up", "give_up", "give_up"),
        # Red verdicts end a run in the same way, and the model refused nothing.
        ("gave_up", "finish", ""),
        ("done", "give_up", ""),
    ],
)
def test_a_refusal_is_the_models_own(status: Any, last: str, refused: str) -> None:
    assert refusal_of(RunState(status=status), entries(called("read_file"), called(last))) == refused


@pytest.mark.parametrize(
    ("status", "code", "infra"),
    [
        ("failed", "SCN-4001", True),
        ("failed", "SCN-3201", True),
        ("failed", "SCN-2001", False),
        ("failed", "", False),
        ("gave_up", "SCN-4001", False),
        ("cancelled", "", True),
    ],
)
def test_failures_of_machines_and_servers_stand_apart(status: Any, code: str, infra: bool) -> None:
    assert bool(infra_reason(RunState(status=status, code=code, reason="It failed."))) is infra


@pytest.mark.parametrize(
    ("config", "mode"),
    [
        ({}, "solo"),
        ({"candidates": {"when": "red"}}, "solo"),
        ({"candidates": {"count": 3}}, "3 candidates"),
        ({"mode": "pair"}, "pair"),
        ({"mode": "council", "candidates": {"count": 2}}, "council, 2 candidates"),
    ],
)
def test_the_mode_is_that_of_the_settings(config: dict[str, Any], mode: str) -> None:
    assert mode_of(config) == mode
