"""`scenarist spec` on a repository of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from runners.models.chat import Reply
from tests.standins.chat_server import ChatServer
from tests.support.harness import CALC, clone_of, draft
from tests.support.waiting import HANG_S


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    return clone_of(CALC, tmp_path / "repo")


def spec(repo: Path, text: str, url: str, *more: str) -> "subprocess.CompletedProcess[str]":
    issue = repo.parent / "issue.md"
    issue.write_text(text)
    env = {**os.environ, "SCENARIST_MODEL_URL": url, "SCENARIST_STATE_DIR": str(repo.parent / "state")}
    command = [sys.executable, "-m", "bot", "spec", str(issue), "--repo", str(repo), *more]
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=HANG_S)


def test_scenarios_are_printed_and_questions_beside(repo: Path) -> None:
    answer = Reply(text=json.dumps({**json.loads(draft().text), "questions": ["What of fractions?"]}))
    with ChatServer([answer], []) as server:
        done = spec(repo, "# Double numbers\n\n4 becomes 8.\n", server.url, "--number", "12")
        assert "I get {n:d}" in server.requests[0]["messages"][1]["content"], (
            "the steps of the repository are known"
        )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("@issue-12\nFeature: Double\n") and done.stdout.endswith("Then I get 8\n")
    assert done.stderr == "- What of fractions?\n"
    status = subprocess.run(
        ["git", "-C", repo, "status", "--porcelain"], capture_output=True, text=True, check=True
    )
    assert status.stdout == "" and not (repo / ".git" / "refs" / "scenarist").exists()


def test_an_issue_that_says_too_little_gets_questions(repo: Path) -> None:
    with ChatServer([], []) as server:
        done = spec(repo, "Search\n\nMake the search nicer and faster, please.\n", server.url)
    assert done.returncode == 1 and done.stdout == "" and "of 100 points" in done.stderr


def test_what_cannot_be_read_is_said_with_a_code(repo: Path) -> None:
    for text, more, code, said in (
        ("", (), "SCN-7013", "is empty"),
        ("Title\n\nx should be 3", ("--base", "nowhere"), "SCN-3108", "nowhere"),
    ):
        done = spec(repo, text, "http://127.0.0.1:1/v1", *more)
        assert done.returncode == 2 and code in done.stderr and said in done.stderr, done.stderr
