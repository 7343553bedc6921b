"""Work that could not be proven is left: as a draft pull request that says so, or as a patch."""

import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from bot.forges.forge import Repo
from bot.log.state import RunState
from runners.contract.events import ToolCalled, VerdictReached
from runners.git.command import git
from runners.models.chat import Reply
from tests.standins.chat_server import Turn, call
from tests.support.harness import CALC, BotUnderTest, doubling, draft, says

WRONG = "return n * n"


@pytest.fixture(scope="module")
def bot() -> Iterator[BotUnderTest]:
    with BotUnderTest() as made:
        yield made


def again(*more: Turn) -> list[Turn]:
    """Turns that say that wrong work is done until the run gives up."""
    begin, work, *_ = doubling(WRONG)
    return [begin, work, *more, *(says(call("finish", summary=f"Done {number}.")) for number in range(6))]


def ended(
    bot: BotUnderTest, name: str, turns: list[Turn], config: str = "", rounds: int = 1
) -> tuple[Repo, int, RunState]:
    files = {**CALC, ".scenarist.yml": CALC[".scenarist.yml"] + f"budget: {{rounds: {rounds}}}\n" + config}
    repo = bot.make_repo(f"octo/{name}", files)
    bot.script([draft()], turns)
    number = bot.forge.open_issue(repo.full_name, "ada", "Double numbers", "4 becomes 8, please.").number
    bot.forge.add_label(repo.full_name, number, "agent:implement", "ada")
    return repo, number, bot.finished(repo, "issue", number)


def status(bot: BotUnderTest, repo: Repo, number: int) -> str:
    return bot.forge.comments(repo, number)[0].body


def branches(bot: BotUnderTest, repo: Repo) -> list[str]:
    path = bot.forge.path(repo.full_name)
    return git("for-each-ref", "--format=%(refname:short)", "refs/heads", git_dir=path).splitlines()


def patch(bot: BotUnderTest, run: str) -> str:
    environ = {**os.environ, "SCENARIST_STATE_DIR": str(bot.state_dir)}
    words = [sys.executable, "-m", "bot", "patch", run]
    return subprocess.run(words, env=environ, capture_output=True, text=True, check=True).stdout


def test_a_draft_says_what_is_missing_and_becomes_the_pull_request_when_it_is_proven(
    bot: BotUnderTest,
) -> None:
    repo, number, state = ended(bot, "draft", again())
    assert state.status == "gave_up" and state.published is None
    assert state.left is not None and state.left.pull is not None and state.prepared is not None
    pull = bot.forge.pull(repo, state.left.pull)
    assert pull.draft and pull.title == "[not proven] Double numbers"
    assert pull.head == state.prepared.branch and pull.head_sha == state.left.commit
    for text in ("This change is not proven", f"For #{number}", "does not pass with the change", "🔴 failed"):
        assert text in pull.body, (text, pull.body)
    assert "Closes" not in pull.body
    [check] = bot.forge.checks(repo, pull.head_sha)
    assert check.state == "failure"
    said = status(bot, repo, number)
    assert f"in the draft #{pull.number}, which says what is missing" in said and "```diff" not in said
    [run] = bot.runs_on(repo, "issue", number)
    assert "+    return n * n" in patch(bot, run)

    mend = says(call("edit_file", path="calc.py", old="n * n", new="2 * n"))
    bot.chat.implement = [*again()[:3], says(), mend, says(call("finish", summary="Doubles."))]
    bot.chat.always = _mending(mend)
    bot.forge.add_comment(repo.full_name, number, "ada", "/agent retry implement")
    bot.idle()
    state = bot.finished(repo, "issue", number)
    bot.chat.always = None
    assert state.status == "done", state.reason
    proven = bot.forge.pull(repo, pull.number)
    assert not proven.draft and proven.title == "Double numbers" and f"Closes #{number}" in proven.body
    assert "not proven" not in proven.body
    assert len(bot.forge.pulls_by_head(repo, proven.head)) == 1


def _mending(mend: Reply) -> Any:
    said = iter([mend])
    return lambda _request: next(said, says(call("finish", summary="Doubles.")))


def test_work_that_touches_the_judges_is_a_patch_alone(bot: BotUnderTest) -> None:
    hook = "def pytest_collection_modifyitems(items):\n    items.clear()\n"
    turns = again(says(call("write_file", path="conftest.py", content=hook)))
    repo, number, state = ended(bot, "judges", turns)
    assert state.status == "gave_up" and state.left is not None and state.left.pull is None
    assert branches(bot, repo) == ["main"]
    said = status(bot, repo, number)
    assert "instead of a draft pull request, because the verification refuses this in it: conftest.py" in said
    assert "+    items.clear()" in said
    [run] = bot.runs_on(repo, "issue", number)
    assert f"`scenarist patch {run}`" in said and "+    items.clear()" in patch(bot, run)


def test_a_repository_can_ask_for_a_patch(bot: BotUnderTest) -> None:
    repo, number, state = ended(bot, "patch", again(), "unfinished: patch\n")
    assert state.left is not None and state.left.pull is None and branches(bot, repo) == ["main"]
    assert "sets `unfinished: patch`" in status(bot, repo, number)


def test_a_secret_is_shown_to_nobody(bot: BotUnderTest) -> None:
    key = "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA7\n-----END RSA PRIVATE KEY-----\n"
    repo, number, state = ended(bot, "secret", again(says(call("write_file", path="key.pem", content=key))))
    assert state.status == "gave_up" and state.left is None and branches(bot, repo) == ["main"]
    assert "MIIEpAIBAAKCAQEA7" not in status(bot, repo, number)


def test_work_whose_phase_broke_is_in_a_draft_too(bot: BotUnderTest) -> None:
    begin, work, *_ = doubling(WRONG)
    # The script ends: the server refuses the next request, which is an error of the operator's.
    repo, _, state = ended(bot, "broken", [begin, work])
    assert state.status == "failed"
    assert state.left is not None and state.left.pull is not None, state.left
    pull = bot.forge.pull(repo, state.left.pull)
    assert pull.draft and "was not verified" in pull.body and state.code.replace("-", "\\-") in pull.body
    shown = git("show", f"{pull.head_sha}:calc.py", git_dir=bot.forge.path(repo.full_name))
    assert WRONG in shown
    message = git("log", "-1", "--format=%B", pull.head_sha, git_dir=bot.forge.path(repo.full_name))
    assert "not finished" in message and "Scenarist-Run: " in message


def test_scenarios_alone_are_no_work(bot: BotUnderTest) -> None:
    repo, number, state = ended(bot, "nothing", [says(call("give_up", reason="I cannot."))])
    assert state.status == "gave_up" and state.left is None and branches(bot, repo) == ["main"]
    assert "nothing was changed" in status(bot, repo, number)


def test_a_finish_without_a_change_is_refused_at_once_with_what_is_asked_for(bot: BotUnderTest) -> None:
    begin, work, *_ = doubling(WRONG)
    done = [says(call("finish", summary=f"Done {number}.")) for number in range(3)]
    mend = says(call("edit_file", path="calc.py", old="n * n", new="2 * n"))
    repo, number, state = ended(bot, "unchanged", [begin, work, *done, mend, *done], rounds=2)
    assert state.status == "done", state.reason
    [run] = bot.runs_on(repo, "issue", number)
    events = [entry.event for entry in bot.store.entries(run)]
    # One verdict on the wrong work, one on the right: what was not changed is not verified again.
    assert [event.verdict.green for event in events if isinstance(event, VerdictReached)] == [False, True]
    refused = [
        event.text
        for event in events
        if isinstance(event, ToolCalled) and "Nothing was changed since the verification failed" in event.text
    ]
    assert refused and all("does not pass with the change" in text for text in refused)
