"""A navigator beside the driver: asked when the driver is red or repeats itself.

A failing navigator stops nothing.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from bot.log.events import Event
from runners.contract.events import Advised, ModelReplied
from runners.models.chat import Reply, TokenUsage
from tests.standins.chat_server import ChatServer, Turn, call
from tests.support.harness import CALC, BotUnderTest, doubling, draft, says

pytestmark = pytest.mark.xdist_group("navigator")  # one bot for all

ADVICE = "calc.double multiplies by three: line 10 of calc.py."


class Pair:
    """A bot whose driver has a navigator, a model of its own, who may be asked twice."""

    def __init__(self, bot: BotUnderTest, navigator: ChatServer) -> None:
        self.bot, self.navigator, self.number = bot, navigator, 0
        self.asked: list[str] = []

    def run(self, turns: list[Turn], advice: Callable[[], Reply | str]) -> tuple[str, list[Event]]:
        """Have doubling implemented; how the run ended, and its events."""
        self.number += 1
        self.asked.clear()

        def said(request: dict[str, Any]) -> Reply | str:
            self.asked.append("\n".join(message["content"] for message in request["messages"]))
            return advice()

        self.navigator.always = said
        self.bot.script([draft()], turns)
        repo = self.bot.make_repo(f"octo/n{self.number}", CALC)
        issue = self.bot.forge.open_issue(repo.full_name, "ada", "Double", "Doubling 4 should give 8.").number
        self.bot.forge.add_label(repo.full_name, issue, "agent:implement", "ada")
        state = self.bot.finished(repo, "issue", issue)
        run = self.bot.runs_on(repo, "issue", issue)[0]
        return state.status, [entry.event for entry in self.bot.store.entries(run)]


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    folder = tmp_path_factory.mktemp("navigator")
    with ExitStack() as stack:
        navigator = stack.enter_context(ChatServer([], []))
        driver = stack.enter_context(ChatServer([], []))
        path: Path = folder / "models.yml"
        path.write_text(
            "runtimes:\n"
            f"  own: {{provider: vllm, url: '{driver.url}'}}\n"
            f"  wise: {{provider: vllm, url: '{navigator.url}', model: owl, prices: {{input: 1}}}}\n"
            "agents:\n  navigator: {runtime: wise, turns: 2}\n  driver: {runtime: own}\n"
        )
        bot = stack.enter_context(BotUnderTest({"models_file": path}))
        bot.chat = driver
        yield Pair(bot, navigator)


def _advice() -> Reply:
    return Reply(text=ADVICE, usage=TokenUsage(prompt_tokens=1000))


def test_a_red_verdict_brings_advice_before_the_drivers_next_turn(pair: Pair) -> None:
    told: list[str] = []

    def mended(request: dict[str, Any]) -> Reply:
        told.append(request["messages"][-1]["content"])
        return says(
            call(
                "write_file",
                path="calc.py",
                content=CALC["calc.py"] + "\n\ndef double(n):\n    return n + n\n",
            )
        )

    wrong = doubling("return 3 * n")
    status, events = pair.run([*wrong, mended, *doubling()[2:]], _advice)
    assert status == "done"
    assert len(told) == 1 and ADVICE in told[0]
    (advised,) = (event for event in events if isinstance(event, Advised))
    assert (advised.reason, advised.model, advised.text) == ("red", "owl", ADVICE)
    (asked,) = pair.asked
    assert "Doubling 4 should give 8." in asked, "the task"
    assert "+    return 3 * n" in asked, "the change so far"
    assert "I get 8" in asked and "run_tests" in asked, "the scenarios, and what the driver did last"
    paid = [event for event in events if isinstance(event, ModelReplied) and event.phase == "navigate"]
    assert [event.cost for event in paid] == [pytest.approx(0.001)]


def test_a_driver_that_goes_round_in_circles_is_advised_with_the_hint(pair: Pair) -> None:
    again: list[Turn] = [says(call("read_file", path="calc.py"))] * 4
    status, events = pair.run([*again, *doubling()], _advice)
    assert status == "done"
    assert [event.reason for event in events if isinstance(event, Advised)] == ["stuck"]
    assert "repeats itself" in pair.asked[0]


def test_a_navigator_that_cannot_be_asked_is_noted_and_stops_nothing(pair: Pair) -> None:
    again: list[Turn] = [says(call("read_file", path="calc.py"))] * 4
    status, events = pair.run([*again, *doubling()], lambda: "no such model")
    assert status == "done"
    (advised,) = (event for event in events if isinstance(event, Advised))
    assert not advised.text and "no such model" in advised.problem


def test_it_is_asked_as_often_as_the_operator_allows(pair: Pair) -> None:
    # Each round changes something: an unchanged `finish` after a red verdict is refused.
    rounds = [doubling(f"return {factor} * n")[1:] for factor in (3, 4, 5)]
    status, events = pair.run([*doubling()[:1], *rounds[0], *rounds[1], *rounds[2]], _advice)
    assert status == "gave_up"
    assert sum(isinstance(event, Advised) for event in events) == 2
