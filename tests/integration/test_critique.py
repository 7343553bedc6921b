"""A model that had no part in a proven change scores it; the author revises it once, and the gate decides."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from bot.forges.forge import Repo
from bot.log.state import RunState
from runners.contract.job import WORK
from runners.loop.single_requests.critique import CRITERIA
from runners.models.chat import Reply, TokenUsage
from tests.standins.chat_server import ChatServer, Turn, call
from tests.support.harness import CALC, BotUnderTest, doubling, draft, says

pytestmark = pytest.mark.xdist_group("candidates")


class Critics:
    """A bot with a driver, and a model of another name that may take over and so may critique."""

    def __init__(self, bot: BotUnderTest, critic: ChatServer) -> None:
        self.bot, self.critic = bot, critic

    def run(self, name: str, turns: list[Turn], critique: Reply) -> tuple[RunState, str]:
        """Have doubling implemented with one verdict at most; the end, and the pull request's text."""
        self.critic.critique = critique
        self.bot.script([draft()], turns)
        config = f"{CALC['.scenarist.yml']}critique: true\nbudget: {{rounds: 1}}\n"
        repo = self.bot.make_repo(name, {**CALC, ".scenarist.yml": config})
        number = self.bot.forge.open_issue(name, "tri", "Double", "Doubling 4 should give 8.").number
        self.bot.forge.add_label(name, number, "agent:implement", "ada")
        state = self.bot.finished(repo, "issue", number)
        assert state.status == "done" and state.published is not None, state.reason
        return state, self.bot.forge.pull(Repo(full_name=name), state.published.pull).body

    def first_verdict(self, name: str) -> str:
        """The commit of the run's first verdict."""
        run = self.bot.runs_on(Repo(full_name=name), "issue", 1)[0]
        events = [entry.event for entry in self.bot.store.entries(run)]
        return next(event.verdict.head_sha for event in events if event.type == "VerdictReached")


@pytest.fixture(scope="module")
def critics(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Critics]:
    with ExitStack() as stack:
        author, critic = (stack.enter_context(ChatServer([], [])) for _ in range(2))
        path: Path = tmp_path_factory.mktemp("models") / "models.yml"
        path.write_text(
            "runtimes:\n"
            f"  own: {{provider: vllm, url: '{author.url}'}}\n"
            f"  other: {{provider: vllm, url: '{critic.url}', model: careful}}\n"
            "agents:\n  driver: {runtime: own, escalate: [other]}\n"
        )
        bot = stack.enter_context(BotUnderTest({"models_file": path}))
        bot.chat = author
        yield Critics(bot, critic)


def _scores(**low: str) -> Reply:
    """The answer of a critic that gives 4 to every criterion but those in `low` (criterion -> reason)."""
    scores = {
        each: {"score": 1, "reason": low[each], "path": "calc.py", "line": 6}
        if each in low
        else {"score": 4, "reason": "Good.", "path": "", "line": 0}
        for each in CRITERIA
    }
    return Reply(text=json.dumps(scores), usage=TokenUsage(prompt_tokens=700))


def _revision(told: list[str], body: str) -> list[Turn]:
    """The turns of an author who revises doubling to `body` and notes in `told` what the critique says."""

    def revised(request: dict[str, Any]) -> Reply:
        told.append(request["messages"][-1]["content"])
        code = CALC["calc.py"] + f"\n\ndef double(n):\n    {body}\n"
        return says(call("write_file", path="calc.py", content=code))

    return [*doubling(), revised, says(call("finish", summary="Revised."))]


def test_the_author_revises_once_what_scored_low(critics: Critics) -> None:
    told: list[str] = []
    turns = _revision(told, "return n + n")
    state, body = critics.run("octo/better", turns, _scores(simplicity="Add @them instead."))
    assert "- simplicity 1 (calc.py:6): Add " in told[0] and "security" not in told[0]
    assert state.spent.rounds == 2, "the round of the critique is not one of the budget's"
    assert state.critique is not None and state.critique.judged is not None
    assert state.critique.judged.taken == "revision"
    assert state.published is not None and state.published.commit == state.critique.judged.revision
    assert "return 2 * n" in str(critics.critic.requests[-1]["messages"]), "it saw the first change"
    assert "careful scored the change" in body and "| simplicity | 1 | `calc.py:6`: Add" in body
    assert "this pull request shows the revision" in body and "@them" not in body


def test_a_revision_that_the_gate_finds_worse_is_not_taken(critics: Critics) -> None:
    state, body = critics.run("octo/worse", _revision([], "return 3 * n"), _scores(style="Unlike the rest."))
    assert state.critique is not None and state.critique.judged is not None
    assert state.critique.judged.taken == "first"
    assert state.verdict is not None and state.verdict.green
    assert state.published is not None
    assert state.published.commit == critics.first_verdict("octo/worse") != state.critique.judged.revision
    assert "the verdict on the revision is red" in body, (state.critique, body)
    run = critics.bot.runs_on(Repo(full_name="octo/worse"), "issue", 1)[0]
    assert state.published.commit.encode() in (critics.bot.store.artifact(run, WORK) or b"")


def test_an_answer_without_scores_stops_nothing(critics: Critics) -> None:
    state, body = critics.run("octo/unread", doubling(), Reply(text='{"style": {"score": 9}}'))
    assert state.spent.rounds == 1
    assert "It gave no scores: Its answer could not be read" in body
