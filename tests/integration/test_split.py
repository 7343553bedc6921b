"""Issues that are too large for one change, and the kind of work said by command: what a maintainer's reply
brings about."""

import json
from collections.abc import Iterator

import pytest

from bot.forges.forge import Repo
from runners.models.chat import Reply, TokenUsage
from tests.support.harness import CALC, BotUnderTest, doubling, draft
from tests.support.waiting import wait_until

pytestmark = pytest.mark.xdist_group("split")  # one bot for all

LARGE = "As a user I want it all.\n\n## Acceptance criteria\n" + "\n".join(
    f"- Doubling {n} should give {2 * n}" for n in range(12)
)
PROPOSED = {
    "stories": [
        {
            "title": "Double small numbers, @everyone",
            "narrative": "As a user, I want small ones, so that I begin.",
            "acceptance_criteria": ["Doubling 1 should give 2"],
        },
        {"title": "Double the rest", "narrative": "", "acceptance_criteria": ["Doubling 9 should give 18"]},
    ]
}


@pytest.fixture(scope="module")
def bot() -> Iterator[BotUnderTest]:
    with BotUnderTest() as made:
        yield made


def begin(bot: BotUnderTest, name: str, answer: str) -> tuple[Repo, int]:
    """A large issue that the bot asks to be split, as the model answers."""
    bot.script([Reply(text=answer, usage=TokenUsage(prompt_tokens=50))], [])
    repo = bot.make_repo(f"octo/{name}")
    number = bot.forge.open_issue(repo.full_name, "tri", "Double it all", LARGE).number
    bot.forge.add_label(repo.full_name, number, "agent:implement", "ada")
    assert bot.finished(repo, "issue", number).status == "needs_info"
    return repo, number


def say(bot: BotUnderTest, repo: Repo, number: int, text: str, by: str = "wim") -> None:
    bot.forge.add_comment(repo.full_name, number, by, text)
    bot.idle()


def waiting_kind(bot: BotUnderTest, repo: Repo, number: int) -> str:
    """The kind of the scenarios that wait for an approval."""
    wait_until(lambda: bot.runs_on(repo, "issue", number), "a run")
    run = bot.runs_on(repo, "issue", number)[0]
    wait_until(lambda: bot.state(run).waits_for_approval, "scenarios that wait")
    spec = bot.state(run).spec
    return spec.kind if spec else ""


def test_a_reply_makes_issues_of_the_proposed_stories_once(bot: BotUnderTest) -> None:
    repo, number = begin(bot, "large", json.dumps(PROPOSED))
    (_status, asked) = (each.body for each in bot.forge.comments(repo, number))
    assert "12 acceptance criteria" in asked and "Double the rest" in asked and "/agent split" in asked
    assert "@everyone" not in asked
    say(bot, repo, number, "/agent split", by="tri")
    *_, refusal = (each.body for each in bot.forge.comments(repo, number))
    assert "Sorry, tri" in refusal and not bot.forge.marked_issues(repo, "scenarist:backlog:")
    say(bot, repo, number, "/agent split")
    say(bot, repo, number, "/agent split")
    made = [bot.forge.issue(repo, each) for each in (number + 1, number + 2)]
    assert [each.title for each in made] == ["Double small numbers, @\u2060everyone", "Double the rest"]
    assert f"Part of #{number}." in made[0].body and "- Doubling 1 should give 2" in made[0].body
    assert made[0].labels == () and made[0].body.startswith("<!-- scenarist:backlog:issue-")
    texts = [each.body for each in bot.forge.comments(repo, number) if "scenarist:split" in each.body]
    assert len(texts) == 1 and f"#{number + 1}, #{number + 2}" in texts[0]
    assert len(bot.forge.marked_issues(repo, "scenarist:backlog:")) == 2
    assert len(bot.runs_on(repo, "issue", number)) == 1, "nothing was begun"


def test_without_a_usable_proposal_the_criteria_are_cut_in_their_order(bot: BotUnderTest) -> None:
    repo, number = begin(bot, "mechanical", '{"stories": [{"title": "One"}]}')
    say(bot, repo, number, "/agent split")
    found = [bot.forge.issue(repo, number + each) for each in (1, 2, 3)]
    assert [each.title for each in found] == [f"Double it all ({at} of 3)" for at in (1, 2, 3)]
    assert [each.body.count("- Doubling") for each in found] == [5, 5, 2]


def test_any_other_answer_has_it_done_as_it_stands(bot: BotUnderTest) -> None:
    repo, number = begin(bot, "whole", json.dumps(PROPOSED))
    # The linter sends the draft back once, since it leaves criteria out.
    bot.script([draft(), draft()], doubling())
    say(bot, repo, number, "Do all of it in one go, please.")
    state = bot.finished(repo, "issue", number)
    assert state.status == "done", state.reason
    assert len(bot.runs_on(repo, "issue", number)) == 2


def test_the_kind_of_work_is_corrected_by_a_command(bot: BotUnderTest) -> None:
    bot.script([draft()], doubling())
    repo = bot.make_repo(
        "octo/kind", {**CALC, ".scenarist.yml": CALC[".scenarist.yml"] + "approval: required\n"}
    )
    number = bot.forge.open_issue(
        repo.full_name, "tri", "Refactor: double numbers", "4 becomes 8, please."
    ).number
    bot.forge.add_label(repo.full_name, number, "agent:implement", "ada")
    assert waiting_kind(bot, repo, number) == "refactoring"
    bot.script([draft()], doubling())
    say(bot, repo, number, "/agent kind nonsense")
    assert waiting_kind(bot, repo, number) == "refactoring"
    say(bot, repo, number, "/agent kind feature")
    assert waiting_kind(bot, repo, number) == "feature"
    say(bot, repo, number, "/agent approve")
    assert bot.finished(repo, "issue", number).status == "done"
