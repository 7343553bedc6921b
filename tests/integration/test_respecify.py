"""Scenarios that hold without the change go back to be written anew, once.

Work that is still red is not verified again.
"""

from collections.abc import Iterator
from typing import Any

import pytest

from bot.forges.forge import Repo
from runners.models.chat import Reply
from tests.standins.chat_server import Turn, call
from tests.support.harness import CALC, BotUnderTest, doubling, draft, says

pytestmark = pytest.mark.xdist_group("respecify")  # one bot for all

HOLDS = draft("Adding zero", ("When", "I add 0 and 2"), ("Then", "I get 2"))
COMMENT = call("write_file", path="calc.py", content=CALC["calc.py"] + "\n# Doubling comes.\n")
FINISH = says(call("finish", summary="A comment."))


def _drafts(second: Reply) -> list[Turn]:
    """The scenarios of the first attempt, and those after the verifier has sent them back."""
    return [lambda request: second if "The verifier ran them" in str(request) else HOLDS]


def _work(first: list[Reply], second: list[Turn]) -> list[Turn]:
    """The turns of the first attempt, and those of the one for the scenarios of `draft`."""

    def turn(number: int) -> Turn:
        def answer(request: dict[str, Any]) -> Reply | str:
            turns = second if "Scenario: Doubling" in str(request) else first
            chosen = turns[min(number, len(turns) - 1)]
            return chosen(request) if callable(chosen) else chosen

        return answer

    return [turn(number) for number in range(12)]


@pytest.fixture(scope="module")
def bot() -> Iterator[BotUnderTest]:
    with BotUnderTest() as started:
        yield started


def _begin(bot: BotUnderTest, name: str, body: str) -> int:
    repo = bot.make_repo(name, dict(CALC))
    number = bot.forge.open_issue(name, "ada", "Double numbers", body).number
    bot.forge.add_label(repo.full_name, number, "agent:implement", "ada")
    bot.idle()
    return number


def test_scenarios_that_hold_already_are_written_anew_once(bot: BotUnderTest) -> None:
    bot.script(_drafts(draft()), _work([says(COMMENT), FINISH], doubling()))
    asked = len(bot.chat.requests)
    name = "octo/again"
    number = _begin(bot, name, "It should double numbers: 4 becomes 8.")
    state = bot.finished(Repo(full_name=name), "issue", number)
    assert state.status == "done", state.reason
    assert [each.outcome for each in state.finished if each.phase == "verify"] == ["respecify", "done"]
    assert state.spec is not None and state.spec.scenarios == ("Doubling",)
    told = [str(each) for each in bot.chat.requests[asked:]]
    assert sum("passes on the code as it is, so none of them" in text for text in told) == 1
    # The new conversation begins anew: nothing of the first attempt is in it.
    assert "Doubling comes" not in told[-1]


def test_it_happens_once_and_work_that_is_still_red_is_refused_at_once(bot: BotUnderTest) -> None:
    bot.script(_drafts(HOLDS), _work([says(COMMENT), FINISH], []))
    asked = len(bot.chat.requests)
    name = "octo/never"
    number = _begin(bot, name, "It should double numbers: 4 becomes 8.")
    state = bot.finished(Repo(full_name=name), "issue", number)
    assert state.status == "gave_up"
    assert [each.outcome for each in state.finished if each.phase == "verify"] == ["respecify", "red"]
    told = str(bot.chat.requests[asked:])
    assert "Nothing was changed since the verification failed" in told
    assert "No scenario fails without the change" in told


def test_scenarios_of_the_issue_that_hold_already_are_asked_about(bot: BotUnderTest) -> None:
    bot.script([], [says(COMMENT), FINISH])
    name = "octo/theirs"
    text = "```gherkin\nFeature: Add\n  Scenario: Zero\n    When I add 0 and 2\n    Then I get 2\n```"
    number = _begin(bot, name, text)
    state = bot.finished(Repo(full_name=name), "issue", number)
    assert state.status == "needs_info"
    assert "passes on the code as it is" in state.reason
