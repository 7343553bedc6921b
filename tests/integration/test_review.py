"""A second model reads the proven change: its remarks stand beside the proof, and serious ones go back
once."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from bot.log.state import RunState
from runners.models.chat import Reply, TokenUsage
from tests.standins.chat_server import ChatServer, Turn, call
from tests.support.harness import CALC, BotUnderTest, doubling, draft, says

pytestmark = pytest.mark.xdist_group("review")  # one bot for all

REMARK = {
    "path": "calc.py",
    "line": 6,
    "text": "Doubling <b>text</b> repeats it. Tell @everyone.",
    "serious": True,
}


class Pair:
    """A bot whose reviewer is a model of its own.

    The driver may use the small set of tools and nine turns.
    """

    def __init__(self, bot: BotUnderTest, reader: ChatServer) -> None:
        self.bot, self.reader, self.number = bot, reader, 0

    def run(self, turns: list[Turn], *reviews: Reply) -> tuple[RunState, str]:
        """Have doubling implemented; the end, and the pull request's text."""
        self.number += 1
        left = list(reviews)
        self.reader.remarks = lambda _request: left.pop(0)
        self.bot.script([draft()], turns)
        repo = self.bot.make_repo(
            f"octo/r{self.number}",
            {**CALC, ".scenarist.yml": CALC[".scenarist.yml"] + "tools: {role: full}\n"},
        )
        number = self.bot.forge.open_issue(
            repo.full_name, "ada", "Double", "Doubling 4 should give 8."
        ).number
        self.bot.forge.add_label(repo.full_name, number, "agent:implement", "ada")
        state = self.bot.finished(repo, "issue", number)
        body = self.bot.forge.pull(repo, state.published.pull).body if state.published else ""
        return state, body


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    folder = tmp_path_factory.mktemp("review")
    with ExitStack() as stack:
        reader = stack.enter_context(ChatServer([], []))
        driver = stack.enter_context(ChatServer([], []))
        path: Path = folder / "models.yml"
        path.write_text(
            "runtimes:\n"
            f"  own: {{provider: vllm, url: '{driver.url}'}}\n"
            f"  reader: {{provider: vllm, url: '{reader.url}', model: careful, prices: {{input: 1}}}}\n"
            "agents:\n  reviewer: {runtime: reader}\n  driver: {runtime: own, tools: edit, turns: 9}\n"
        )
        bot = stack.enter_context(BotUnderTest({"models_file": path}))
        bot.chat = driver
        yield Pair(bot, reader)


def _review(*remarks: dict[str, Any]) -> Reply:
    return Reply(text=json.dumps({"remarks": remarks}), usage=TokenUsage(prompt_tokens=1000))


def test_serious_remarks_go_back_once_and_stand_beside_the_proof(pair: Pair) -> None:
    told: list[str] = []

    def mended(request: dict[str, Any]) -> Reply:
        told.append(request["messages"][-1]["content"])
        code = CALC["calc.py"] + "\n\ndef double(n):\n    return n + n\n"
        return says(call("write_file", path="calc.py", content=code))

    light = {"path": "nowhere.py", "line": 3, "text": "A name could be clearer.", "serious": False}
    state, body = pair.run(
        [*doubling(), mended, says(call("finish", summary="Mended."))],
        _review(REMARK),
        _review(REMARK, light),
    )
    assert state.status == "done", state.reason
    assert state.spent.rounds == 2
    assert "A reviewer says" in told[0] and "- calc.py:6: Doubling <b>text</b> repeats it." in told[0]
    assert "**A second model finds this serious**: `calc.py:6`: Doubling" in body[: body.index("<details>")]
    shown = body[body.index("<summary>Review by a second model (2)") : body.index("What the verifier ran")]
    assert "careful read the change" in shown
    assert "**serious** `calc.py:6`: Doubling" in shown and "A name could be clearer" in shown
    assert "<b>" not in body and "@everyone" not in body and "nowhere.py" not in shown
    assert "return n + n" in str(pair.reader.requests[-1]["messages"]), "it reads the change"
    assert state.spent.cost > 0


def test_a_reviewer_without_remarks(pair: Pair) -> None:
    state, body = pair.run(doubling(), _review())
    assert state.status == "done" and state.spent.rounds == 1
    assert "has no remarks" in body


@pytest.mark.parametrize("answer", ["no JSON", '{"remarks": [1]}', '{"remarks": [{"path": "x"}]}'])
def test_a_review_that_cannot_be_read_stops_nothing(pair: Pair, answer: str) -> None:
    state, body = pair.run(doubling(), Reply(text=answer))
    assert state.status == "done"
    assert "did not: Its answer could not be read" in body


def test_the_drivers_tools_and_turns_are_bounded_by_the_operator(pair: Pair) -> None:
    turns: list[Turn] = [says(call("read_file", path=f"calc{number}.py")) for number in range(12)]
    asked = len(pair.bot.chat.requests)
    state, _ = pair.run(turns)
    assert state.status == "gave_up"
    assert "9 turns" in state.reason
    offered = {each["function"]["name"] for each in pair.bot.chat.requests[asked + 1]["tools"]}
    assert "git_commit" not in offered and "edit_file" in offered
