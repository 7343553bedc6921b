"""What a repository taught: a review becomes a lesson, the next run reads it, a later review takes it back."""

from collections.abc import Iterator

import pytest

from bot.forges.forge import Repo
from bot.log.state import RunState
from runners.git.command import git
from tests.standins.chat_server import call
from tests.support.harness import CALC, BotUnderTest, doubling, draft, says

pytestmark = pytest.mark.xdist_group("memory")  # one bot for all

MEMORY = "# Memory\n\n## Lessons\n\n- Write comments in French. (#1)\n\n## Traps\n\n- The clock is in UTC.\n"


@pytest.fixture(scope="module")
def bot() -> Iterator[BotUnderTest]:
    with BotUnderTest() as made:
        yield made


def implemented(bot: BotUnderTest, name: str, files: dict[str, str]) -> tuple[Repo, RunState]:
    repo = bot.make_repo(name, {**CALC, **files})
    bot.script([draft()], doubling())
    number = bot.forge.open_issue(name, "ada", "Double numbers", "4 becomes 8, please.").number
    bot.forge.add_label(name, number, "agent:implement", "ada")
    return repo, bot.finished(repo, "issue", number)


def reviewed(bot: BotUnderTest, repo: Repo, pull: int, text: str, **answer: object) -> RunState:
    """Have a review revised by a model that adds a comment and answers so."""
    answers = [{"thread": 0, "answer": "Done.", **answer}]
    bot.chat.implement = [
        says(call("write_file", path=".scenarist/memory.md", content="mine")),
        says(call("shell", command=f"echo '# {pull} {len(text)}' >>calc.py")),
        says(call("finish", summary="Revised.", answers=answers)),
    ]
    bot.forge.submit_review(repo.full_name, pull, "ada", text, [])
    bot.idle()
    return bot.finished(repo, "pull", pull)


def test_a_remark_becomes_a_lesson_and_a_contradicted_one_goes(bot: BotUnderTest) -> None:
    repo, state = implemented(bot, "octo/remembers", {".scenarist/memory.md": MEMORY})
    assert state.status == "done" and state.published is not None, state.reason
    pull = state.published.pull
    seen = str(bot.chat.requests[-1]["messages"])
    assert "Write comments in French. (#1)" in seen and "Follow the repository's memory" in seen
    assert "What this work taught" not in bot.forge.pull(repo, pull).body

    state = reviewed(
        bot,
        repo,
        pull,
        "Comments are in English here, always.",
        lesson="Write comments in English.",
        outdated="Write comments in French. (#1)",
    )
    assert state.status == "done" and state.published is not None, state.reason
    path = bot.forge.path(repo.full_name)
    told = str(bot.chat.requests[-1]["messages"])
    assert "memory.md` is locked" in told, "no tool of the model writes the memory"
    kept = git("show", f"{state.published.commit}:.scenarist/memory.md", git_dir=path)
    assert kept == (
        "# Memory\n\n## Lessons\n\n"
        f"- Write comments in English. (#{pull}, review of ada)\n\n## Traps\n\n- The clock is in UTC."
    )
    subject = git("log", "-1", "--format=%s", state.published.commit, git_dir=path)
    assert subject == "Remember what this work taught"
    body = bot.forge.pull(repo, pull).body
    assert "What this work taught (2)" in body and "+- Write comments in English." in body
    assert (
        "-- Write comments in French. (#1)" in body and "This change updates `.scenarist/memory.md`" in body
    )

    # Merged, the lesson is in the prompt of the next run, and the other one is not.
    git("update-ref", "refs/heads/main", state.published.commit, git_dir=path)
    bot.script([draft()], [says(call("give_up", reason="Enough."))])
    number = bot.forge.open_issue(repo.full_name, "ada", "Halve numbers", "8 becomes 4, please.").number
    bot.forge.add_label(repo.full_name, number, "agent:implement", "ada")
    bot.finished(repo, "issue", number)
    seen = str(bot.chat.requests[-1]["messages"])
    assert "Write comments in English." in seen and "French" not in seen


def test_without_a_memory_the_pull_request_shows_the_line_alone(bot: BotUnderTest) -> None:
    repo, state = implemented(bot, "octo/forgets", {})
    assert state.published is not None, state.reason
    pull = state.published.pull
    declined = reviewed(bot, repo, pull, "Use tabs.", lesson="Use tabs.", done=False)
    assert declined.committed is not None and declined.committed.learned == (), "it led to no change"
    state = reviewed(bot, repo, pull, "Comments are in English here.", lesson="Write comments in English.")
    assert state.published is not None and state.committed is not None, state.reason
    assert not state.committed.remembered
    files = git(
        "ls-tree", "-r", "--name-only", state.published.commit, git_dir=bot.forge.path(repo.full_name)
    )
    assert ".scenarist/memory.md" not in files
    body = bot.forge.pull(repo, pull).body
    assert "Later runs know this once it is in `.scenarist/memory.md`" in body
    assert f"+- Write comments in English. (#{pull}, review of ada)" in body
