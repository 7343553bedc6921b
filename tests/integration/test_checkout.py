"""A person goes on with a run by hand, and the next run begins with their commits."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from runners.git.command import git
from runners.models.chat import Reply
from tests.standins.chat_server import call
from tests.support.harness import CALC, BotUnderTest, doubling, draft, says


@pytest.fixture
def bot() -> Iterator[BotUnderTest]:
    with BotUnderTest() as made:
        yield made


def in_shell(folder: Path, *words: str, **environ: str) -> "subprocess.CompletedProcess[str]":
    own = {"GIT_AUTHOR_NAME": "Ada", "GIT_AUTHOR_EMAIL": "ada@example.test"}
    committer = {"GIT_COMMITTER_NAME": "Ada", "GIT_COMMITTER_EMAIL": "ada@example.test"}
    env = {**os.environ, **own, **committer, **environ}
    return subprocess.run(words, cwd=folder, env=env, capture_output=True, text=True)


def test_a_person_goes_on_and_the_next_run_takes_it_up(bot: BotUnderTest, tmp_path: Path) -> None:
    files = {**CALC, ".scenarist.yml": CALC[".scenarist.yml"] + "budget: {rounds: 1}\n"}
    repo = bot.make_repo(files=files)
    begin, work, *_ = doubling("return n * n")
    bot.script([draft()], [begin, work, *(says(call("finish", summary=f"Done {n}.")) for n in range(4))])
    number = bot.forge.open_issue(repo.full_name, "ada", "Double numbers", "4 becomes 8, please.").number
    bot.forge.add_label(repo.full_name, number, "agent:implement", "ada")
    state = bot.finished(repo, "issue", number)
    assert state.status == "gave_up" and state.left is not None and state.left.pull is not None

    forge = bot.forge.path(repo.full_name)
    assert in_shell(tmp_path, "git", "clone", "--quiet", str(forge), "clone").returncode == 0
    clone = tmp_path / "clone"
    [run] = bot.runs_on(repo, "issue", number)
    words = (
        sys.executable,
        "-m",
        "bot",
        "checkout",
        run,
        "--repo",
        str(clone),
        "--into",
        str(tmp_path / "mine"),
    )
    root = Path(__file__).parents[2]
    done = in_shell(root, *words, SCENARIST_STATE_DIR=str(bot.state_dir))
    assert done.returncode == 0, done.stderr
    assert f"A review of pull request #{state.left.pull}" in done.stdout
    code = tmp_path / "mine/code"
    assert "return n * n" in (code / "calc.py").read_text()
    assert "Scenario: " in (tmp_path / "mine/scenarios.feature").read_text()
    told = (tmp_path / "mine/conversation.md").read_text()
    assert "## " in told and "write_file" in told and "Done 0." in told
    again = in_shell(root, *words, SCENARIST_STATE_DIR=str(bot.state_dir))
    assert again.returncode == 2 and "SCN-7055" in again.stderr

    (code / "calc.py").write_text((code / "calc.py").read_text().replace("n * n", "2 * n"))
    assert in_shell(code, "git", "commit", "--quiet", "-am", "Double it").returncode == 0
    assert in_shell(code, "git", "push", "--quiet", "origin", "HEAD").returncode == 0
    mine = git("rev-parse", state.prepared.branch if state.prepared else "", git_dir=forge)

    answers = [{"thread": 0, "answer": "It was right.", "done": True}]
    bot.chat.implement = [
        says(call("finish", summary=f"It is right, {n}.", answers=answers)) for n in range(4)
    ]
    bot.forge.submit_review(repo.full_name, state.left.pull, "ada", "I corrected it. Please go on.", [])
    revised = bot.finished(repo, "pull", state.left.pull)
    assert revised.status == "done", revised.reason
    assert revised.prepared is not None and revised.prepared.head == mine
    assert revised.verdict is not None and revised.verdict.green and revised.published is not None
    git("merge-base", "--is-ancestor", mine, revised.published.commit, git_dir=forge)
    assert "2 * n" in git("show", f"{revised.published.commit}:calc.py", git_dir=forge)
    assert isinstance(bot.chat.remarks, Reply)
