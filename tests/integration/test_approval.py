"""Scenarios that somebody approves before a line of code is written."""

from collections.abc import Iterator
from typing import Any

import pytest

from bot.forges.forge import Repo
from runners.models.chat import Reply
from tests.support.harness import CALC, BotUnderTest, doubling, draft
from tests.support.waiting import wait_until

pytestmark = pytest.mark.xdist_group("approval")  # one bot for all

OWN = "/agent approve\n\n```gherkin\nScenario: Doubling four\n  When I double 4\n  Then I get 8\n```"


@pytest.fixture(scope="module")
def bot() -> Iterator[BotUnderTest]:
    with BotUnderTest() as made:
        yield made


def begin(
    bot: BotUnderTest, name: str, config: str = "approval: required\n", label: str = "agent:implement"
) -> tuple[Repo, int, str]:
    """An issue that was labelled, and its run, which waits."""
    repo = bot.make_repo(f"octo/{name}", {**CALC, ".scenarist.yml": CALC[".scenarist.yml"] + config})
    number = bot.forge.open_issue(repo.full_name, "tri", "Double numbers", "4 becomes 8, please.").number
    bot.forge.add_label(repo.full_name, number, label, "ada")
    wait_until(lambda: bot.runs_on(repo, "issue", number), "a run")
    run = bot.runs_on(repo, "issue", number)[0]
    waits(bot, run)
    return repo, number, run


def waits(bot: BotUnderTest, run: str) -> None:
    wait_until(lambda: bot.state(run).waits_for_approval and bot.store.reports.is_current(run), "its asking")


def say(bot: BotUnderTest, repo: Repo, number: int, text: str, by: str = "wim") -> None:
    bot.forge.add_comment(repo.full_name, number, by, text)
    bot.idle()


def test_nothing_is_implemented_until_somebody_with_rights_approves(bot: BotUnderTest) -> None:
    bot.script([draft()], doubling())
    repo, number, run = begin(bot, "approved")
    status, question = [comment.body for comment in bot.forge.comments(repo, number)]
    assert "the scenarios need an approval" in status
    assert question.partition("\n")[2].startswith("@ada, please approve these scenarios")
    assert "Scenario: Doubling" in question and "/agent approve" in question and "<details>" not in question
    say(bot, repo, number, "/agent approve", by="tri")
    assert bot.state(run).waits_for_approval, "a reader may not"
    assert bot.state(run).spent.turns == 1, "the scenarios alone were paid for"
    say(bot, repo, number, "/agent approve")
    state = bot.finished(repo, "issue", number)
    assert state.status == "done" and state.approved_by == "wim"
    assert "approved by wim" in bot.forge.comments(repo, number)[0].body
    assert state.published is not None
    assert "approved by wim" in bot.forge.pull(repo, state.published.pull).body


def test_scenarios_are_revised_as_somebody_says(bot: BotUnderTest) -> None:
    asked: list[str] = []

    def first(request: dict[str, Any]) -> Reply:
        asked.append(request["messages"][-1]["content"])
        return draft("Doubling" if len(asked) == 1 else "Doubling a small number")

    bot.script([first], doubling())
    repo, number, run = begin(bot, "revised")
    say(bot, repo, number, "/agent revise Only small numbers, please.")
    wait_until(lambda: len(asked) == 2, "another draft")
    assert "Only small numbers, please." in asked[1] and "Scenario: Doubling" in asked[1]
    waits(bot, run)
    assert "Doubling a small number" in bot.forge.comments(repo, number)[-1].body
    bodies = [comment.body for comment in bot.forge.comments(repo, number)]
    assert sum("please approve these" in body for body in bodies) == 2, "each approval is asked for anew"
    told: list[str] = []
    turns = doubling()

    def implementing(request: dict[str, Any]) -> Reply:
        told.append(str(request["messages"]))
        assert isinstance(turns[0], Reply)
        return turns[0]

    bot.script([], [implementing, *turns[1:]])
    say(bot, repo, number, "/agent approve")
    assert bot.finished(repo, "issue", number).status == "done"
    assert "Only small numbers" not in told[0], "what is in the scenarios is not said again"


def test_somebodys_own_scenarios_take_the_place_of_the_models(bot: BotUnderTest) -> None:
    bot.script([draft()], doubling())
    repo, number, _run = begin(bot, "own")
    say(bot, repo, number, OWN)
    state = bot.finished(repo, "issue", number)
    assert state.status == "done" and state.spec is not None
    assert state.spec.source == "issue" and state.spec.scenarios == ("Doubling four",)


def test_a_label_asks_for_scenarios_and_the_other_one_approves_them(bot: BotUnderTest) -> None:
    bot.script([draft()], doubling())
    repo, number, run = begin(bot, "labels", config="", label="agent:spec")
    bot.forge.add_label(repo.full_name, number, "agent:implement", "ada")
    bot.idle()
    state = bot.finished(repo, "issue", number)
    assert state.status == "done" and state.approved_by == "ada"
    assert bot.runs_on(repo, "issue", number) == [run]


def test_what_waits_can_be_cancelled_and_a_late_approval_does_nothing(bot: BotUnderTest) -> None:
    bot.script([draft()], doubling())
    repo, number, run = begin(bot, "late")
    bot.forge.remove_label(repo.full_name, number, "agent:implement", "ada")
    bot.idle()
    assert bot.finished(repo, "issue", number).status == "cancelled"
    say(bot, repo, number, "/agent approve")
    assert bot.state(run).status == "cancelled" and len(bot.runs_on(repo, "issue", number)) == 1


def test_scenarios_corrected_in_the_bots_own_comment_are_taken_over_and_still_wait(bot: BotUnderTest) -> None:
    bot.script([draft()], doubling())
    repo, number, run = begin(bot, "corrected")
    shown = bot.forge.comments(repo, number)[1]
    before = len(bot.chat.requests)

    def edited(body: str, by: str = "wim") -> None:
        bot.forge.edit_comment(repo.full_name, shown.id, by, body)
        bot.idle()

    better = shown.body.replace("Scenario: Doubling", "Scenario: Four twice")
    edited(better, by="tri")
    edited(shown.body + "\nThanks!")
    state = bot.state(run)
    assert state.waits_for_approval and state.spec is not None and state.spec.scenarios == ("Doubling",)

    edited(better.replace("Then I get 8", "Then I get 8\n    Perhaps"))
    wait_until(lambda: "The edited scenarios cannot be read" in bot.state(run).reason, "the word of it")
    waits(bot, run)

    edited(better)
    wait_until(lambda: (s := bot.state(run).spec) and s.scenarios == ("Four twice",), "the correction")
    waits(bot, run)
    assert "Scenario: Four twice" in bot.forge.comments(repo, number)[-1].body
    assert len(bot.chat.requests) == before, "no model is asked"
    say(bot, repo, number, "/agent approve")
    state = bot.finished(repo, "issue", number)
    assert state.status == "done" and state.approved_by == "wim", state.reason
    assert state.verdict is not None
    assert [proof.name for proof in state.verdict.scenarios] == ["Four twice"]


def test_an_edit_of_anybody_elses_comment_is_none_of_our_business(bot: BotUnderTest) -> None:
    bot.script([draft()], doubling())
    repo, number, run = begin(bot, "elsewhere")
    text = "What of this?\n\n```gherkin\nScenario: Another\n  When I double 4\n  Then I get 8\n```\n"
    theirs = bot.forge.add_comment(repo.full_name, number, "tri", "What of this?")
    bot.forge.edit_comment(repo.full_name, theirs, "tri", text)
    bot.forge.edit_comment(repo.full_name, theirs, "wim", text + " ")
    bot.idle()
    state = bot.state(run)
    assert state.waits_for_approval and state.spec is not None and state.spec.scenarios == ("Doubling",)


def test_scenarios_about_something_else_than_the_product_are_questioned(bot: BotUnderTest) -> None:
    outside = draft("Deploying", ("When", "I double 4"), ("Then", '".github/workflows/deploy.yml" is there'))
    bot.script([outside], doubling())
    repo, number, _run = begin(bot, "outside", config="")
    question = bot.forge.comments(repo, number)[1].body
    assert "no part of the repository's product: `.github/workflows/deploy.yml`" in question
    bot.script([draft()], doubling())
    say(bot, repo, number, "/agent revise Only double the number.")
    state = bot.finished(repo, "issue", number)
    assert state.status == "done" and state.approved_by == "", state.reason
