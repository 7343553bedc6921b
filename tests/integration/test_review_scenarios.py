"""What a review asks for becomes scenarios, which wait for an approval where the repository wants that."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from bot.forges.forge import Repo
from bot.log.state import RunState
from runners.models.chat import Reply
from tests.standins.chat_server import Turn, call
from tests.support.harness import CALC, DOUBLE_STEPS, BotUnderTest, doubling, draft, says
from tests.support.waiting import wait_until

pytestmark = pytest.mark.xdist_group("review-scenarios")  # one bot for all

OWN = "Please quarter too:\n\n```gherkin\nScenario: Quartering\n  When I quarter 8\n  Then I get 2\n```\n"


@pytest.fixture(scope="module")
def bot() -> Iterator[BotUnderTest]:
    with BotUnderTest() as made:
        yield made


@pytest.fixture
def pull(bot: BotUnderTest, request: pytest.FixtureRequest) -> tuple[Repo, int]:
    """A pull request, in a repository of its own, whose scenarios somebody has approved."""
    config = CALC[".scenarist.yml"] + "approval: required\n"
    name = f"octo/{request.node.name.replace('_', '-')[:40]}"
    repo = bot.make_repo(name, {**CALC, ".scenarist.yml": config})
    bot.script([draft()], doubling())
    number = bot.forge.open_issue(repo.full_name, "tri", "Double numbers", "4 becomes 8, please.").number
    bot.forge.add_label(repo.full_name, number, "agent:implement", "ada")
    wait_until(lambda: bot.runs_on(repo, "issue", number), "a run")
    waits(bot, bot.runs_on(repo, "issue", number)[0])
    bot.forge.add_comment(repo.full_name, number, "wim", "/agent approve")
    bot.idle()
    state = bot.finished(repo, "issue", number)
    assert state.published is not None, state.reason
    return repo, state.published.pull


def waits(bot: BotUnderTest, run: str) -> None:
    wait_until(lambda: bot.state(run).waits_for_approval and bot.store.reports.is_current(run), "its asking")


def remark(name: str, verb: str, value: int, outcome: int, replaces: str = "") -> Reply:
    """The analyst's answer: a scenario for what the review's own text asks."""
    steps = [
        {"keyword": "When", "text": f"I {verb} {value}"},
        {"keyword": "Then", "text": f"I get {outcome}"},
    ]
    found = {"thread": 0, "replaces": replaces, "name": name, "steps": steps}
    return Reply(text=json.dumps({"remarks": [found]}))


def implementing(bot: BotUnderTest, pull: tuple[Repo, int], **bodies: str) -> list[Turn]:
    """The turns of a model that adds a function, with a step, for each verb."""
    code, steps = CALC["calc.py"], []
    for verb, body in bodies.items():
        code += f"\n\ndef {verb}(n):\n    return {body}\n"
        text = DOUBLE_STEPS.replace("doubling", f"to_{verb}").replace("double", verb)
        steps.append(call("write_file", path=f"features/steps/{verb}_steps.py", content=text))
    answer = {"thread": 0, "answer": "Done."}
    return [
        says(call("write_file", path="calc.py", content=code), *steps),
        says(call("finish", summary="As the review asks.", answers=[answer])),
    ]


def newest(bot: BotUnderTest, pull: tuple[Repo, int], count: int) -> str:
    wait_until(lambda: len(bot.runs_on(pull[0], "pull", pull[1])) == count, f"revision {count}")
    return bot.runs_on(pull[0], "pull", pull[1])[0]


def test_scenarios_of_a_model_wait_and_those_of_a_reviewer_do_not(
    bot: BotUnderTest, pull: tuple[Repo, int]
) -> None:
    _a_models_scenario_waits_and_is_revised_and_approved(bot, pull)
    _a_scenario_that_the_reviewer_wrote_is_taken_as_it_is(bot, pull)


def _a_models_scenario_waits_and_is_revised_and_approved(bot: BotUnderTest, pull: tuple[Repo, int]) -> None:
    repo, number = pull
    before = bot.forge.pull(repo, number).head_sha
    asked: list[list[dict[str, Any]]] = []

    def analyst(request: dict[str, Any]) -> Reply:
        asked.append(request["messages"])
        return remark("Halving" if len(asked) == 1 else "Halving eight", "halve", 8, 4)

    bot.chat.remarks = analyst
    bot.script([], implementing(bot, pull, double="2 * n", halve="n // 2"))
    bot.forge.submit_review(repo.full_name, number, "wim", "It should halve as well.", [])
    run = newest(bot, pull, 1)
    waits(bot, run)
    question = bot.forge.comments(repo, number)[-1].body
    assert "please approve these scenarios" in question and "Scenario: Halving" in question
    assert bot.forge.pull(repo, number).head_sha == before
    assert (
        "It should halve as well." in asked[0][1]["content"]
        and "Scenario: Doubling" in asked[0][1]["content"]
    )

    bot.forge.add_comment(repo.full_name, number, "ada", "/agent revise Say in its name what is halved.")
    wait_until(lambda: len(asked) == 2, "another draft")
    assert "Say in its name what is halved." in asked[1][-1]["content"]
    waits(bot, run)
    bot.forge.add_comment(repo.full_name, number, "ada", "/agent approve")
    bot.idle()
    state = bot.finished(repo, "pull", number)
    assert state.status == "done" and state.verdict is not None, (state.reason, state.verdict)
    assert [(each.name, each.proven, each.revised) for each in state.verdict.scenarios] == [
        ("Doubling", True, False),
        ("Halving eight", True, True),
    ]
    assert state.verdict.before_sha == before
    body = bot.forge.pull(repo, number).body
    assert "| It should halve as well. | wim | Halving eight |" in body
    assert "approved by ada" in body


def _a_scenario_that_the_reviewer_wrote_is_taken_as_it_is(bot: BotUnderTest, pull: tuple[Repo, int]) -> None:
    repo, number = pull
    bot.chat.remarks = remark("Nobody asks the analyst", "halve", 8, 4)
    bot.script([], implementing(bot, pull, double="2 * n", halve="n // 2", quarter="n // 4"))
    bot.forge.submit_review(repo.full_name, number, "wim", OWN, [])
    newest(bot, pull, 2)
    state = bot.finished(repo, "pull", number)
    assert state.status == "done" and state.spec is not None, (state.reason, state.verdict)
    assert state.spec.scenarios == ("Doubling", "Halving eight", "Quartering")
    assert not _waited(state), "whoever wrote it may approve"
    body = bot.forge.pull(repo, number).body
    # What the earlier review asked for is still told.
    assert "| It should halve as well. | wim | Halving eight |" in body
    assert "| wim | Quartering |" in body and "before this revision" in body


def test_what_a_remark_contradicts_gives_way(bot: BotUnderTest, pull: tuple[Repo, int]) -> None:
    repo, number = pull
    bot.chat.remarks = remark("Doubling twice", "double", 4, 16, replaces="Doubling")
    bot.script([], implementing(bot, pull, double="4 * n"))
    bot.forge.submit_review(repo.full_name, number, "wim", "Doubling must double twice.", [])
    run = newest(bot, pull, 1)
    waits(bot, run)
    bot.forge.add_comment(repo.full_name, number, "wim", "/agent approve")
    bot.idle()
    state = bot.finished(repo, "pull", number)
    assert state.status == "done" and state.spec is not None, (state.reason, state.verdict)
    assert state.spec.scenarios == ("Doubling twice",)
    assert "instead of Doubling</sub>" in bot.forge.pull(repo, number).body


def _waited(state: RunState) -> bool:
    return any(each.outcome == "approval" for each in state.finished)
