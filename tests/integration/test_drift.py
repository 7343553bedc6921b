"""The default branch moves on while a run is under way: the pull request says so, and whether it
conflicts."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from runners.git.command import git
from runners.models.chat import Reply
from tests.support.harness import CALC, BotUnderTest, doubling, draft

pytestmark = pytest.mark.xdist_group("drift")  # one bot for all


@pytest.fixture(scope="module")
def bot() -> Iterator[BotUnderTest]:
    with BotUnderTest() as made:
        yield made


def _moving(bot: BotUnderTest, name: str, path: str, text: str) -> Callable[[dict[str, Any]], Reply]:
    """A first turn during which somebody else commits to the default branch."""

    def turn(_request: dict[str, Any]) -> Reply:
        tree = bot.state_dir / "trees" / name
        (tree / path).write_text(text)
        where = {"git_dir": bot.forge.path(name), "work_tree": tree}
        git("add", "--all", **where)
        git("commit", "--quiet", "--message", "Meanwhile", **where)
        first = doubling()[0]
        assert isinstance(first, Reply)
        return first

    return turn


@pytest.mark.parametrize(
    ("name", "path", "text", "words"),
    [
        (
            "octo/clash",
            "calc.py",
            "def add(a, b):\n    return a + b\n\n\nTAU = 6.28\n",
            "**They conflict in `calc.py`**",
        ),
        ("octo/apart", "notes.txt", "Hello.\n", "by 1 commit since"),
    ],
)
def test_a_default_branch_that_moved_is_told(
    bot: BotUnderTest, name: str, path: str, text: str, words: str
) -> None:
    bot.script([draft()], [_moving(bot, name, path, text), *doubling()[1:]])
    repo = bot.make_repo(name, dict(CALC))
    number = bot.forge.open_issue(name, "ada", "Double numbers", "4 becomes 8, please.").number
    bot.forge.add_label(name, number, "agent:implement", "ada")
    state = bot.finished(repo, "issue", number)
    assert state.status == "done", state.reason
    assert state.published is not None
    body = bot.forge.pull(repo, state.published.pull).body
    assert "has moved on by 1 commit since" in body and words in body
    assert ("without conflicts" in body) == (name == "octo/apart")
