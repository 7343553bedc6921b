"""From an issue to the scenarios, in a whole bot: what the linter says, and what the issue leaves open."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from bot.forges.forge import Repo
from runners.models.chat import Reply
from tests.standins.chat_server import call
from tests.support.harness import CALC, BotUnderTest, doubling, draft, says
from tests.support.waiting import wait_until

pytestmark = pytest.mark.xdist_group("specify")  # one bot for all


@pytest.fixture(scope="module")
def bot() -> Iterator[BotUnderTest]:
    with BotUnderTest() as made:
        yield made


def begin(
    bot: BotUnderTest,
    name: str,
    body: str = "4 becomes 8, please.",
    files: Mapping[str, str] = CALC,
) -> tuple[Repo, int]:
    repo = bot.make_repo(f"octo/{name}", files)
    number = bot.forge.open_issue(repo.full_name, "tri", "Double numbers", body).number
    bot.forge.add_label(repo.full_name, number, "agent:implement", "ada")
    return repo, number


def test_what_the_linter_finds_goes_back_to_the_model(bot: BotUnderTest) -> None:
    asked: list[str] = []

    def second(request: dict[str, Any]) -> Reply:
        asked.append(request["messages"][-1]["content"])
        good = json.loads(draft().text)
        return Reply(text=json.dumps({**good, "questions": ["What of <b>fractions</b>?", "And @everyone?"]}))

    vague = draft("Doubling", ("When", "I double 4"), ("Then", "it works correctly"))
    bot.script([vague, second], doubling())
    repo, number = begin(bot, "vague")
    state = bot.finished(repo, "issue", number)
    assert state.status == "done" and state.spec is not None
    assert len(asked) == 1 and "can not be checked" in asked[0] and "object again" in asked[0]
    assert state.spec.questions[0] == "What of <b>fractions</b>?" and len(state.spec.questions) == 2
    assert state.spec.findings == ()
    assert state.published is not None
    status = bot.forge.comments(repo, number)[0].body
    pull = bot.forge.pull(repo, state.published.pull).body
    assert "The issue leaves this open: What of &lt;b\\>fractions" in pull
    assert not any(each in text for each in ("<b>", "@everyone") for text in (status, pull))


def test_scenarios_that_people_wrote_are_taken_with_the_linters_word_beside(bot: BotUnderTest) -> None:
    body = (
        "```gherkin\nScenario: Doubling\n  When I double 4\n  And I click the buy button\n  Then I get 8\n```"
    )
    steps = doubling()
    bot.script([], steps)
    repo, number = begin(bot, "written", body)
    state = bot.finished(repo, "issue", number)
    assert state.spec is not None and state.spec.source == "issue"
    assert [each for each in state.spec.findings if "about the screen" in each]
    assert "The linter's remarks on the scenarios" in bot.forge.comments(repo, number)[0].body


def test_remarks_go_back_once_and_stay_with_the_model(bot: BotUnderTest) -> None:
    asked: list[str] = []

    def again(request: dict[str, Any]) -> Reply:
        asked.append(request["messages"][-1]["content"])
        return Reply(text=f"Here it is:\n```json\n{draft().text}\n```")

    bot.script([draft("Doubling", ("When", "I click 4"), ("Then", "I get 8")), again], doubling())
    repo, number = begin(bot, "remarks")
    state = bot.finished(repo, "issue", number)
    assert state.status == "done" and len(asked) == 1
    assert "“Doubling”: “click” is about the screen" in asked[0]
    assert state.spec is not None and state.spec.findings == ()


def test_the_last_attempt_is_taken_with_its_errors(bot: BotUnderTest) -> None:
    vague = draft("Doubling", ("When", "I double 4"), ("Then", "I get 8"), ("And", "everything is fine"))
    bot.script([vague] * 3, [])
    repo, number = begin(bot, "stubborn")
    state = bot.finished(repo, "issue", number)
    assert state.spec is not None and "can not be checked" in state.spec.findings[0]


def test_an_issue_that_leaves_all_open_gets_questions_and_an_answer_begins_a_run(bot: BotUnderTest) -> None:
    bot.script([draft()], doubling())
    repo, number = begin(bot, "open", "Make it better, please.")
    assert bot.finished(repo, "issue", number).status == "needs_info"
    status = bot.forge.comments(repo, number)[0].body
    assert "is waiting for an answer" in status
    status = bot.forge.comments(repo, number)[1].body
    assert status.partition("\n")[2].startswith("@ada, I need an answer") and "of 100 points" in status
    assert "What exactly does “better” mean here" in status and "When …, then …" in status
    assert bot.state(bot.runs_on(repo, "issue", number)[0]).spent.turns == 0, "no model was asked"
    bot.forge.add_comment(repo.full_name, number, "ada", "Whoever doubles four expects eight.")
    bot.idle()
    assert bot.finished(repo, "issue", number).status == "done", "who has answered is not asked again"
    first = bot.runs_on(repo, "issue", number)[1]
    wait_until(lambda: bot.store.reports.is_current(first), "the first run's comment")
    assert "asked a question; a newer run has begun." in bot.forge.comments(repo, number)[0].body


def test_a_repository_that_wants_no_unsupervised_tools_gets_one_comment(bot: BotUnderTest) -> None:
    bot.script([], [])
    policy = {"AI_POLICY.md": "# AI\n\nWe do not accept AI-generated @everyone code.\n"}
    repo, number = begin(bot, "policy", files={**CALC, **policy})
    state = bot.finished(repo, "issue", number)
    assert state.status == "gave_up" and state.spent.turns == 0
    (comment,) = bot.forge.comments(repo, number)
    assert "takes no changes made by unsupervised tools" in comment.body
    assert "`AI_POLICY.md` line 3" in comment.body
    assert "@everyone" not in comment.body and "ai_policy: ignore" in comment.body

    bot.script([draft()], doubling())
    settings = {".scenarist.yml": CALC[".scenarist.yml"] + "\nai_policy: ignore\n"}
    repo, number = begin(bot, "allowed", files={**CALC, **policy, **settings})
    assert bot.finished(repo, "issue", number).status == "done"


def test_prompts_carry_the_rules_of_the_house_and_where_the_issues_names_are(bot: BotUnderTest) -> None:
    files = {
        **CALC,
        "AGENTS.md": "Use tabs in shell scripts.\n",
        "CONTRIBUTING.md": "# Contributing\n\n## Style\n\nEach function has a docstring.\n",
        "CHANGELOG.md": "# Changes\n\n## Unreleased\n\n* Adds `add`.\n",
        "money.py": "def round_money(amount):\n    return round(amount, 2)\n",
        "docs/money.md": "# Money\n\nCall `round_money` with an amount.\n",
        "examples/shop.py": "class Basket:\n    pass\n",
    }
    bot.script([draft()], [says(call("give_up", reason="Enough is seen."))])
    repo, _ = begin(bot, "house", "Numbers are doubled, and rounded by `round_money`: 4 becomes 8.", files)
    assert bot.finished(repo, "issue", 1).status == "gave_up"
    specify, implement = (
        next(
            "\n".join(message["content"] for message in each["messages"])
            for each in reversed(bot.chat.requests)
            if ("response_format" in each) is asks_for_scenarios and "rounded by `round_money`" in str(each)
        )
        for asks_for_scenarios in (True, False)
    )
    assert "money.py:1: def round_money(amount)" in specify, "where the issue's names stand in the code"
    for prompt in (specify, implement):
        assert "Use tabs in shell scripts." in prompt
    for rule in ("Each function has a docstring.", "CHANGELOG.md", "docs/money.md:3"):
        assert rule in implement, rule
    # The tools that end the work are there beside the others.
    tools = {each["function"]["name"] for each in bot.chat.requests[-1]["tools"]}
    assert {"finish", "give_up", "ask", "run_tests"} <= tools
