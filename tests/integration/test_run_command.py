"""`scenarist run` on a repository of its own: no server, no forge, no broker."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from runners.git.command import git
from runners.models.chat import Reply
from tests.standins.chat_server import ChatServer, call
from tests.support.harness import CALC, clone_of, doubling, draft, says
from tests.support.waiting import HANG_S

ISSUE = "# Double numbers\n\n`calc.double` is missing: 4 becomes 8.\n"


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    return clone_of(CALC, tmp_path / "repo")


def command(repo: Path, url: str, *more: str) -> tuple[list[str], dict[str, str]]:
    issue = repo.parent / "issue.md"
    if not issue.exists():
        issue.write_text(ISSUE)
    env = {key: value for key, value in os.environ.items() if not key.startswith("SCENARIST_")}
    env |= {"SCENARIST_MODEL_URL": url, "XDG_STATE_HOME": str(repo.parent / "state")}
    words = [sys.executable, "-m", "bot", "run", "--repo", str(repo), "--issue", str(issue), *more]
    return words, env


def run(repo: Path, url: str, *more: str) -> "subprocess.CompletedProcess[str]":
    words, env = command(repo, url, *more)
    return subprocess.run(
        words, env=env, capture_output=True, text=True, timeout=300, stdin=subprocess.DEVNULL
    )


def branches(repo: Path) -> list[str]:
    return git("for-each-ref", "--format=%(refname:short)", "refs/heads", git_dir=repo / ".git").split()


def messages(repo: Path, branch: str) -> str:
    return git("log", "--format=%B", f"trunk..{branch}", git_dir=repo / ".git")


def is_untouched(repo: Path) -> bool:
    return not git("status", "--porcelain", git_dir=repo / ".git", work_tree=repo)


def test_an_issue_becomes_a_branch(repo: Path) -> None:
    with ChatServer([draft()], doubling()) as server:
        done = run(repo, server.url)
        assert done.returncode == 0, done.stdout + done.stderr
        assert re.search(r"Doubling: (failed|error) before, passed after", done.stdout), done.stdout
        assert "Branch: agent/1-double-numbers" in done.stdout
        assert is_untouched(repo) and branches(repo) == ["agent/1-double-numbers", "trunk"]
        code = git("show", "agent/1-double-numbers:calc.py", git_dir=repo / ".git")
        assert code.endswith("return 2 * n")
        # Nobody gave the issue a number, so nothing names one that may belong to another issue.
        assert "#1" not in messages(repo, "agent/1-double-numbers") and "Closes" not in done.stdout
        again = run(repo, server.url, "--json", "--base", "trunk", "--number", "1")
    said = json.loads(again.stdout)
    # The number 1 is taken here, but it is the one that the user knows.
    assert said["proven"] and said["branch"] == "agent/3-double-numbers", again.stderr
    assert said["commit"] == git("rev-parse", said["branch"], git_dir=repo / ".git")
    assert "Doubling" in said["body"] and "Closes #1\n" in said["body"]
    assert "Refs: #1\n" in messages(repo, said["branch"])


def test_a_branch_that_is_there_is_not_overwritten(repo: Path) -> None:
    git("branch", "agent/1-double-numbers", git_dir=repo / ".git")
    with ChatServer([draft()], doubling()) as server:
        said = json.loads(run(repo, server.url, "--json").stdout)
    assert said["branch"] == "agent/1-double-numbers-2"
    mine = git("rev-parse", "agent/1-double-numbers", git_dir=repo / ".git")
    assert mine == git("rev-parse", "trunk", git_dir=repo / ".git")


def test_scenarios_wait_for_an_approval(tmp_path: Path) -> None:
    files = CALC | {".scenarist.yml": CALC[".scenarist.yml"] + "approval: required\n"}
    repo = clone_of(files, tmp_path / "repo")
    with ChatServer([draft()], doubling()) as server:
        waits = run(repo, server.url)
        assert waits.returncode == 1 and branches(repo) == ["trunk"]
        assert "Scenario: Doubling" in waits.stdout and "--approve" in waits.stdout
        done = run(repo, server.url, "--approve")
    assert done.returncode == 0 and len(branches(repo)) == 2, done.stdout


def test_a_question_is_shown_where_nobody_can_answer(repo: Path) -> None:
    (repo.parent / "issue.md").write_text("Search\n\nMake the search nicer and faster, please.\n")
    with ChatServer([], []) as server:
        done = run(repo, server.url)
    assert done.returncode == 1 and branches(repo) == ["trunk"]
    assert "of 100 points" in done.stdout and "Add the answer to the issue's text" in done.stdout


def test_work_that_is_not_proven_is_kept(repo: Path) -> None:
    wrong = doubling("return n")[:2]
    with ChatServer([draft()], [*wrong, says(call("give_up", reason="It cannot be done."))]) as server:
        done = run(repo, server.url, "--json")
    said = json.loads(done.stdout)
    assert done.returncode == 1 and not said["proven"] and said["status"] == "gave_up", said
    if said["branch"]:
        kept = git("show", f"{said['branch']}:calc.py", git_dir=repo / ".git")
    else:
        kept = Path(said["patch"]).read_text()
    assert "def double(n):" in kept


def test_an_interrupted_run_is_cancelled(repo: Path) -> None:
    asked, answer = threading.Event(), threading.Event()

    def slow(_request: dict[str, Any]) -> Reply:
        asked.set()
        answer.wait(HANG_S)
        return draft()

    with ChatServer([slow], doubling()) as server:
        words, env = command(repo, server.url)
        process = subprocess.Popen(
            words,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert asked.wait(HANG_S)
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=HANG_S)
        answer.set()
    assert process.returncode == 130 and "Cancelled" in out and "Traceback" not in err, err
    assert branches(repo) == ["trunk"]


@pytest.mark.parametrize(
    ("more", "code"),
    [
        (("--issue", "/nowhere.md"), "SCN-7013"),
        (("--issue", "https://example.org/x"), "SCN-7013"),
        (("--repo", "/"), "SCN-3105"),
        (("--base", "nowhere"), "SCN-3108"),
        ((), "SCN-4001"),
    ],
)
def test_a_mistake_is_said_before_anything_is_begun(repo: Path, more: tuple[str, ...], code: str) -> None:
    done = run(repo, "http://127.0.0.1:9/v1", *more)
    assert done.returncode == 2 and code in done.stderr and "Traceback" not in done.stderr, done.stderr
    assert branches(repo) == ["trunk"]
