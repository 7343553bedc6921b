"""A pair: the navigator of another model chooses each step, what was run decides whether it counts."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from bot.forges.forge import Repo
from bot.log.events import Event
from bot.log.state import RunState
from runners.contract.events import ModelReplied, PromptSent
from runners.contract.team_events import CandidateBegun, PairTurn
from runners.git.command import read_blob
from runners.models.chat import Reply, TokenUsage
from tests.standins.chat_server import ChatServer, Turn, call
from tests.support.harness import CALC, DOUBLE_STEPS, BotUnderTest, doubling, draft, says
from tests.support.waiting import wait_until

pytestmark = pytest.mark.xdist_group("candidates")

_CODE = CALC["calc.py"] + "\n\ndef double(n):\n    return 2 * n\n"
_TEST = "from calc import double\n\n\ndef test_double_of_zero():\n    assert double({}) == {}\n"


class Pairs:
    """A bot with the models `first`, the driver, and `second`, the navigator."""

    def __init__(self, bot: BotUnderTest, first: ChatServer, second: ChatServer) -> None:
        self.bot, self.first, self.second = bot, first, second

    def begin(self, name: str) -> Repo:
        """Have an issue implemented by the pair."""
        config = f"{CALC['.scenarist.yml']}mode: pair\nbudget: {{rounds: 1}}\n"
        repo = self.bot.make_repo(name, {**CALC, ".scenarist.yml": config})
        self.first.specify = [draft()]
        self.bot.forge.open_issue(name, "tri", "Double numbers", "Doubling 4 should give 8.")
        self.bot.forge.add_label(name, 1, "agent:implement", "ada")
        return repo

    def ended(self, repo: Repo) -> tuple[RunState, list[Event], str]:
        """The end of the run, its events, and the pull request's text."""
        state = self.bot.finished(repo, "issue", 1)
        assert state.status == "done" and state.published is not None, (state.reason, self.events(repo))
        return state, self.events(repo), self.bot.forge.pull(repo, state.published.pull).body

    def events(self, repo: Repo) -> list[Event]:
        runs = self.bot.runs_on(repo, "issue", 1)
        return [entry.event for entry in self.bot.store.entries(runs[0])] if runs else []


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pairs]:
    with ExitStack() as stack:
        first, second = (stack.enter_context(ChatServer([], [])) for _ in range(2))
        path: Path = tmp_path_factory.mktemp("models") / "models.yml"
        path.write_text(
            "runtimes:\n"
            f"  first: {{provider: vllm, url: '{first.url}'}}\n"
            f"  second: {{provider: vllm, url: '{second.url}', prices: {{input: 1}}}}\n"
            "agents:\n  driver: {runtime: first}\n  navigator: {runtime: second}\n"
        )
        bot = stack.enter_context(BotUnderTest({"models_file": path, "lease_seconds": 4.0}))
        yield Pairs(bot, first, second)


def _step(step: str, **more: str) -> Reply:
    given = {"step": step, "scenario": "", "path": "", "content": "", "reason": "", **more}
    return Reply(text=json.dumps(given), usage=TokenUsage(prompt_tokens=1000))


def _steps(*replies: Reply) -> Callable[[dict[str, Any]], Reply]:
    """The answers of a navigator, each by how many steps have been taken."""

    def answer(request: Mapping[str, Any]) -> Reply:
        taken = request["messages"][-1]["content"].partition("## The steps so far")[2]
        return replies[taken.count(": green.")]

    return answer


def _driving() -> list[Turn]:
    """The turns of a driver who first makes a test pass and then the scenario."""
    return [
        says(call("write_file", path="calc.py", content=_CODE)),
        says(call("finish", summary="Doubles.")),
        says(call("write_file", path="features/steps/double_steps.py", content=DOUBLE_STEPS)),
        says(call("finish", summary="Doubles, with steps.")),
    ]


_ZERO = _step("test", path="test_double.py", content=_TEST.format(0, 0), reason="Zero is a case of its own.")


def test_a_killed_worker_goes_on_with_the_open_step_of_a_pair(pairs: Pairs) -> None:
    # After two steps the roles are swapped: the first model approves what it has written itself with the other.
    pairs.first.implement = _driving()
    pairs.second.pair = _steps(_ZERO, _step("scenario", scenario="Doubling"))
    pairs.first.pair = _step("approve", reason="It doubles @all that the issue names.")
    repo = pairs.begin("octo/pair")
    wait_until(lambda: any(isinstance(event, PairTurn) for event in pairs.events(repo)), "the first step")
    pairs.bot.group.kill("runs")
    assert pairs.bot.group.revive() == ["runs"]
    state, events, body = pairs.ended(repo)
    turns = [event for event in events if isinstance(event, PairTurn)]
    assert [(each.number, each.step, each.driver, each.navigator) for each in turns] == [
        (1, "test", "first", "second"),
        (2, "scenario", "first", "second"),
    ]
    told = [event.text for event in events if isinstance(event, PromptSent) and event.reason == "pair"]
    assert "Your navigator wrote the test `test_double.py`" in told[0] and "“Doubling”" in told[1]
    asked = [event for event in events if isinstance(event, ModelReplied) and event.phase == "pair"]
    assert [each.runtime for each in asked] == ["second", "second", "first"]
    assert state.spent.turns == sum(isinstance(event, ModelReplied) for event in events)
    assert "A pair made this change (2 steps)" in body
    assert "| 1 | first | second | test `test_double.py` | failed | passed |" in body
    assert "first approved: It doubles" in body and "@all" not in body
    assert state.published is not None
    tree = pairs.bot.forge.path(repo.full_name)
    assert read_blob(tree, state.published.commit, "test_double.py") == _TEST.format(0, 0).encode()


def test_a_driver_who_declines_a_test_gets_a_rival_with_swapped_roles(pairs: Pairs) -> None:
    wrong = _step("test", path="test_double.py", content=_TEST.format(4, 9), reason="Four gives nine.")
    pairs.second.pair = wrong
    pairs.first.implement = [says(call("give_up", reason="Four doubled is eight."))]
    pairs.first.pair = _steps(_step("scenario", scenario="Doubling"), _step("approve", reason="It doubles."))
    pairs.second.implement = doubling()
    state, events, body = pairs.ended(pairs.begin("octo/declined"))
    begun = [event for event in events if isinstance(event, CandidateBegun)]
    assert [(each.runtime, each.reason) for each in begun] == [("second", "the pair disagreed")]
    assert state.chosen is not None and state.chosen.number == 2
    assert "first approved: It doubles." in body and "number 2 was chosen" in body
    assert state.published is not None
    tree = pairs.bot.forge.path("octo/declined")
    assert read_blob(tree, state.published.commit, "test_double.py") is None


def test_what_a_navigator_says_counts_only_as_far_as_it_was_run(pairs: Pairs) -> None:
    # Its test passes before anything is written, and it approves while the scenario fails.
    green = _step("test", path="test_sum.py", content="def test_sum():\n    assert 1 + 1 == 2\n")
    asked: list[str] = []

    def answer(request: dict[str, Any]) -> Reply:
        asked.append(request["messages"][-1]["content"])
        if "1. scenario" in asked[-1]:
            return _step("approve", reason="All is well.")
        return _step("approve", reason="All is well.") if "refused" in asked[-1] else green

    pairs.second.pair = answer
    pairs.first.implement = doubling()
    state, _, body = pairs.ended(pairs.begin("octo/run"))
    assert "Your last answer was refused: the test does not fail." in asked[1]
    assert state.pair is not None
    assert [(each.step, each.problem) for each in state.pair.turns] == [
        ("scenario", "'Doubling' fails, so there is nothing to approve")
    ]
    assert "second approved: All is well." in body
