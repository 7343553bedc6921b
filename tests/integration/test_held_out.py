"""Held-out examples in a run: the analyst writes them, the verifier runs them, and the driver never sees one
in time."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from bot.forges.forge import Repo
from runners.models.chat import Reply
from tests.standins.chat_server import call
from tests.support.harness import CALC, DOUBLE_STEPS, BotUnderTest, doubling, draft, says

pytestmark = pytest.mark.xdist_group("held-out")  # one bot for all


def _code(body: str) -> str:
    return CALC["calc.py"] + f"\n\ndef double(n):\n    {body}\n"


def _examples(*pairs: tuple[int, int]) -> Reply:
    def step(keyword: str, text: str) -> dict[str, object]:
        return {"keyword": keyword, "text": text, "table": None, "doc_string": None}

    rows = [
        {"scenario": "Doubling", "steps": [step("When", f"I double {one}"), step("Then", f"I get {twice}")]}
        for one, twice in pairs
    ]
    return Reply(text=json.dumps({"examples": rows}))


@pytest.fixture(scope="module")
def bot() -> Iterator[BotUnderTest]:
    with BotUnderTest() as started:
        yield started


def _begin(bot: BotUnderTest, name: str, config: str = "mutation: {mutants: 0}\n") -> int:
    repo = bot.make_repo(name, {**CALC, ".scenarist.yml": config})
    number = bot.forge.open_issue(
        name, "ada", "Double numbers", "It should double numbers: 4 becomes 8."
    ).number
    bot.forge.add_label(repo.full_name, number, "agent:implement", "ada")
    bot.idle()
    return number


def test_code_that_knows_its_example_is_sent_back_without_the_values(bot: BotUnderTest) -> None:
    bot.chat.examples = _examples((731, 1462), (650, 1300))
    bot.script(
        [draft()],
        [
            says(
                call("write_file", path="calc.py", content=_code("return 8")),
                call("write_file", path="features/steps/double_steps.py", content=DOUBLE_STEPS),
            ),
            says(call("finish", summary="Eight.")),
            says(call("write_file", path="calc.py", content=_code("return 2 * n"))),
            says(call("finish", summary="Doubles.")),
        ],
    )
    asked = len(bot.chat.requests)
    number = _begin(bot, "octo/knows")
    state = bot.finished(Repo(full_name="octo/knows"), "issue", number)
    assert state.status == "done", state.reason
    assert state.spent.rounds == 2
    requests = [str(each) for each in bot.chat.requests[asked:]]
    driver = [text for text in requests if "write_file" in text]
    assert any("does not hold for a further example" in text for text in driver)
    # Random marks and hashes may hold these digits, but not as a word.
    assert not any(re.search(r"\b(731|1462|650|1300)\b", text) for text in driver)
    assert state.published is not None
    body = bot.forge.pull(Repo(full_name="octo/knows"), state.published.pull).body
    assert "2 held-out examples passed" in body
    assert "When I double 731" in body
    assert "flips 1/1 · sabotage 1/1 · held-out 2/2" in body.replace("\\-", "-")


def test_examples_of_no_use_are_asked_for_once_more(bot: BotUnderTest) -> None:
    # As lines, and first with steps that no scenario has.
    def examples(request: dict[str, Any]) -> Reply:
        verb, name = ("double", "Doubling") if len(request["messages"]) > 2 else ("triple", "Tripling")
        steps = [f"When I {verb} 731", "Then I get 1462"]
        return Reply(text=json.dumps({"examples": [{"scenario": name, "steps": steps}]}))

    bot.chat.examples = examples
    bot.script([draft()], doubling())
    asked = len(bot.chat.requests)
    number = _begin(bot, "octo/again")
    state = bot.finished(Repo(full_name="octo/again"), "issue", number)
    assert state.status == "done" and state.verdict is not None, state.reason
    assert [each.outcome for each in state.verdict.held_out] == ["passed"]
    told = [
        str(each)
        for each in bot.chat.requests[asked:]
        if "does not have the steps of any scenario" in str(each)
    ]
    assert len(told) == 1


def test_a_pull_request_says_that_no_further_example_was_run(bot: BotUnderTest) -> None:
    bot.chat.examples = Reply(text="I cannot.")
    bot.script([draft()], doubling())
    number = _begin(bot, "octo/none")
    state = bot.finished(Repo(full_name="octo/none"), "issue", number)
    assert state.published is not None, state.reason
    body = bot.forge.pull(Repo(full_name="octo/none"), state.published.pull).body
    assert "No further examples could be run" in body


def test_a_wrong_example_is_shown_after_the_second_time_and_replaced(bot: BotUnderTest) -> None:
    bot.chat.examples = _examples((731, 9999))
    bot.script(
        [draft()],
        [
            says(
                call("write_file", path="calc.py", content=_code("return 2 * n")),
                call("write_file", path="features/steps/double_steps.py", content=DOUBLE_STEPS),
            ),
            says(call("finish", summary="Doubles.")),
            says(call("write_file", path="calc.py", content=_code("return n * 2"))),
            says(call("finish", summary="Doubles.")),
            says(call("write_file", path="calc.py", content=_code("return n + n"))),
            says(call("finish", summary="The example is wrong.")),
        ],
    )
    asked = len(bot.chat.requests)

    number = _begin(bot, "octo/wrong")
    state = bot.finished(Repo(full_name="octo/wrong"), "issue", number)
    driver = [str(each) for each in bot.chat.requests[asked:] if "write_file" in str(each)]
    assert any("now for the second time" in text and "I get 9999" in text for text in driver)
    # Its place is empty: the analyst's answer was the same wrong example, which is not taken again.
    assert state.status == "done", state.reason
    assert state.spent.rounds == 3
    assert state.verdict is not None and not state.verdict.held_out


def test_survivors_of_mutation_are_shown_once_and_lose_no_proven_work(bot: BotUnderTest) -> None:
    bot.chat.examples = Reply(text='{"examples": []}')
    body = "if n > 1000:\n        return n\n    return 2 * n"
    bot.script(
        [draft()],
        [
            says(
                call("write_file", path="calc.py", content=_code(body)),
                call("write_file", path="features/steps/double_steps.py", content=DOUBLE_STEPS),
            ),
            says(call("finish", summary="Doubles.")),
            says(call("give_up", reason="No test of that makes sense.")),
        ],
    )
    asked = len(bot.chat.requests)
    # All faults are tried, and the branch that nothing tries leaves too few that are noticed.
    number = _begin(bot, "octo/survives", "mutation: {mutants: 20, floor: 90}\n")
    state = bot.finished(Repo(full_name="octo/survives"), "issue", number)
    assert state.status == "done", state.reason
    assert [each.outcome for each in state.finished if each.phase == "verify"] == ["red", "done"]
    assert state.spent.rounds == 1, "the same head is not verified twice"
    asked_for = str(bot.chat.requests[asked:])
    assert "Add a test that notices each" in asked_for and "will only be a draft" in asked_for
    assert state.verdict is not None and state.verdict.status == "warning"
    assert state.published is not None
    pull = bot.forge.pull(Repo(full_name="octo/survives"), state.published.pull)
    assert pull.draft and "[not proven]" not in pull.title
