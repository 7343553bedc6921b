"""Candidates that are made at the same time: each goes on from its own entries after a killed worker."""

import threading
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from bot.log.events import Event
from runners.contract.events import ModelReplied, ToolCalled
from runners.contract.team_events import CandidateStep
from runners.loop.audit import verify
from runners.models.chat import Reply
from tests.chaos.moments import assert_exactly_one
from tests.standins.chat_server import ChatServer, Turn
from tests.support.harness import CALC, BotUnderTest, doubling, draft
from tests.support.waiting import HANG_S, wait_until

pytestmark = pytest.mark.xdist_group("candidates")


def _waiting(
    turns: list[Turn], own: threading.Event, other: threading.Event, end: threading.Event
) -> list[Turn]:
    """The turns of a model that says when it begins, waits for the other one, and for `end` before its last."""

    def held(turn: Turn, before: Callable[[], object]) -> Turn:
        def reply(request: dict[str, Any]) -> Reply | str:
            before()
            return turn(request) if callable(turn) else turn

        return reply

    def begin() -> None:
        own.set()
        assert other.wait(HANG_S), "the other candidate did not begin"

    return [held(turns[0], begin), *turns[1:-1], held(turns[-1], lambda: end.wait(HANG_S))]


def test_candidates_at_the_same_time_survive_a_killed_worker(tmp_path: Path) -> None:
    with ExitStack() as stack:
        first, second = (stack.enter_context(ChatServer([draft()], [])) for _ in range(2))
        models, limits = tmp_path / "models.yml", tmp_path / "limits.yml"
        models.write_text(
            "runtimes:\n"
            f"  first: {{provider: vllm, url: '{first.url}'}}\n"
            f"  second: {{provider: vllm, url: '{second.url}'}}\n"
            "agents:\n  driver: {runtime: first, candidates: [second]}\n"
        )
        limits.write_text("parallel: 2\n")
        one, other, end = threading.Event(), threading.Event(), threading.Event()
        done = threading.Event()
        done.set()
        first.implement = _waiting(doubling(), one, other, end)
        second.implement = _waiting(doubling("return 3 * n"), other, one, done)
        settings = {"models_file": models, "limits_file": limits, "lease_seconds": 4.0}
        bot = stack.enter_context(BotUnderTest(settings))
        config = f"{CALC['.scenarist.yml']}mode: council\nbudget: {{rounds: 1}}\n"
        repo = bot.make_repo("octo/council", {**CALC, ".scenarist.yml": config})
        number = bot.forge.open_issue(repo.full_name, "ada", "Double numbers", "4 becomes 8, please.").number
        bot.forge.add_label(repo.full_name, number, "agent:implement", "ada")

        def events() -> list[Event]:
            runs = bot.runs_on(repo, "issue", number)
            return [entry.event for entry in bot.store.entries(runs[0])] if runs else []

        # The second one is finished while the first has not said yet that it is done.
        wait_until(
            lambda: any(event.type == "CandidateEnded" for event in events()), "the end of a candidate"
        )
        bot.group.kill("runs")
        assert bot.group.revive() == ["runs"]
        end.set()
        state = bot.finished(repo, "issue", number)
        assert state.status == "done" and state.chosen is not None, state.reason
        assert_exactly_one(bot, repo, number)
        log = events()
        ended = {each.ended.number: (each.ended.status, each.ended.runtimes) for each in state.candidates}
        assert ended == {1: ("green", ("first",)), 2: ("red", ("second",))}
        assert state.chosen.number == 1
        steps = [(each.candidate, each.phase) for each in log if isinstance(each, CandidateStep)]
        assert sorted(steps) == [(1, "implement"), (1, "verify"), (2, "implement"), (2, "verify")]
        replies = [each for each in log if isinstance(each, ModelReplied) and each.phase == "implement"]
        assert {(each.candidate, each.runtime) for each in replies} == {(1, "first"), (2, "second")}
        assert state.spent.turns == sum(isinstance(event, ModelReplied) for event in log)
        calls = [event for event in log if isinstance(event, ToolCalled)]
        assert {call.candidate for call in calls} == {1, 2} and verify(calls) is None
        assert state.committed is not None and state.published is not None
        assert state.published.commit == state.committed.commit
        body = bot.forge.pull(repo, state.published.pull).body
        assert "number 1 was chosen because it is the only one of 2 that was proven" in body
        assert "| 2 | second | red |" in body
