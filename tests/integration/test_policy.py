"""What a repository grants and an operator bounds, in runs of a whole bot; and the audit trail they leave."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from bot.storage.tables import events
from runners.contract.events import ToolCalled
from tests.standins.chat_server import call
from tests.support.databases import sqlite
from tests.support.harness import CALC, BotUnderTest, doubling, draft, says
from tests.support.waiting import HANG_S

PASSWORD = "canary-books-5e1f"
CONFIG = """
tools:
  allow: ["database.read:books", "http.get:internal.test", "files.write:.github/workflows/ci.yml"]
  deny: ["git.*"]
quotas:
  phase: {tool_calls: 40}
"""
LIMITS = """
allow: [files.*, git.*, shell.*, tests.*, "database.*", "http.get:other.test"]
protected: [LICENSE]
databases:
  books: {env: BOOKS_URL}
"""
# A test is a command too: it says which files it could write.
TRIES = """
from pathlib import Path


def test_writing():
    written = []
    for path in (Path("calc.py"), Path("LICENSE"), *Path("features").glob("issue_*.feature")):
        try:
            path.write_text(path.read_text())
            written.append(path.name)
        except OSError:
            pass
    assert written == []
"""
WORKFLOW = ".github/workflows/ci.yml"


@pytest.fixture
def bot(tmp_path: Path) -> Iterator[BotUnderTest]:
    (tmp_path / "limits.yml").write_text(LIMITS)
    url = sqlite(tmp_path).replace("sqlite:///", f"sqlite://u:{PASSWORD}@/", 1)
    with BotUnderTest({"limits_file": tmp_path / "limits.yml"}, runner_env={"BOOKS_URL": url}) as made:
        yield made


def scenarist(bot: BotUnderTest, *words: str) -> "subprocess.CompletedProcess[str]":
    environ = {**os.environ, "SCENARIST_STATE_DIR": str(bot.state_dir)}
    return subprocess.run([sys.executable, "-m", "bot", *words], env=environ, capture_output=True, text=True)


def test_grants_limits_and_the_audit_trail(bot: BotUnderTest) -> None:
    files = {
        **CALC,
        ".scenarist.yml": CALC[".scenarist.yml"] + CONFIG,
        WORKFLOW: "on: push\n",
        "LICENSE": "MIT\n",
    }
    repo = bot.make_repo(files=files)
    begin, *rest = doubling()
    asked = says(
        call("sql_query", database="books", statement="SELECT title FROM books"),
        call("sql_query", database="books", statement="DELETE FROM books"),
        call("sql_execute", database="books", statement="DELETE FROM books"),
        call("http_get", url="http://internal.test/"),
        call("git_status"),
        call("write_file", path=WORKFLOW, content="on: [push, pull_request]\n"),
        call("write_file", path=".github/workflows/other.yml", content="x: 1\n"),
        call("write_file", path="LICENSE", content="mine\n"),
        call("shell", command=f"echo x >>LICENSE; echo x >>.scenarist.yml; curl -u me:{PASSWORD} x; env"),
        call("write_file", path="test_writing.py", content=TRIES),
        call("run_tests", paths="test_writing.py"),
        call("delete_path", path="test_writing.py"),
    )
    bot.script([draft()], [begin, asked, *rest])
    number = bot.forge.open_issue(repo.full_name, "ada", "Double numbers", "4 becomes 8, please.").number
    bot.forge.add_label(repo.full_name, number, "agent:implement", "ada")
    state = bot.finished(repo, "issue", number)
    assert state.status == "done", state.reason

    [run] = bot.runs_on(repo, "issue", number)
    entries = bot.store.entries(run)
    called = {}
    for each in (e.event for e in entries if isinstance(e.event, ToolCalled)):
        called.setdefault(each.call.name, []).append(each)
    read, deleted = called["sql_query"]
    assert read.ok and "Emma" in read.text and read.capability == "database.read"
    assert not deleted.ok and "Only statements that read" in deleted.text
    for name in ("sql_execute", "git_status"):
        assert "There is no tool" in called[name][0].text, name  # never offered, as it could never be granted
    offered = {tool["function"]["name"] for tool in bot.chat.requests[-1]["tools"]}
    assert "sql_query" in offered and not offered & {
        "sql_execute",
        "git_status",
        "git_log",
        "docker_run",
    }
    assert called["http_get"][0].denied and "The operator does not allow" in called["http_get"][0].text
    workflow, other, license_ = [e for e in called["write_file"] if e.call.arguments.count("content")][:3]
    assert workflow.ok and other.denied and license_.denied and "is locked" in license_.text
    assert "Read-only file system" in called["shell"][0].text
    assert "assert ['calc.py'] == []" in called["run_tests"][0].text  # and none that is locked
    log = "\n".join(e.model_dump_json() for e in entries)
    assert PASSWORD not in log and "Authorization" not in log

    # The change is in the pull request, and with it the hash of the trail.
    assert state.published is not None
    pull = bot.forge.pull(repo, state.published.pull)
    newest = [e.event for e in entries if isinstance(e.event, ToolCalled)][-1].hash
    assert f"audit trail `{newest}`" in pull.body

    shown = scenarist(bot, "audit", run)
    assert shown.returncode == 0 and shown.stdout.count("\n") == sum(map(len, called.values()))
    assert "[denied; 0.00 s]" in shown.stdout and f"changed {WORKFLOW}" in shown.stdout
    held = scenarist(bot, "audit", "--verify", run)
    assert held.returncode == 0 and held.stdout.endswith(
        f"the trail is intact. Its newest entry is {newest}.\n"
    )

    with bot.store.engine.begin() as db:
        rows = db.execute(sa.select(events.c.seq, events.c.data).where(events.c.run_id == run)).all()
        victim = next(seq for seq, data in rows if "Only statements that read" in data)
        db.execute(sa.delete(events).where(events.c.run_id == run, events.c.seq == victim))
    broken = scenarist(bot, "audit", "--verify", run)
    assert broken.returncode == 2 and "SCN-6010: The audit trail breaks at tool call 3" in broken.stderr


def test_a_limits_file_with_a_mistake_stops_the_start(tmp_path: Path) -> None:
    path = tmp_path / "limits.yml"
    path.write_text("allow: [shell.runs]\n")
    environ = {**os.environ, "SCENARIST_STATE_DIR": str(tmp_path), "SCENARIST_LIMITS_FILE": str(path)}
    words = [sys.executable, "-m", "bot", "worker", "--queues", "runs"]
    done = subprocess.run(words, env=environ, capture_output=True, text=True, timeout=HANG_S)
    assert done.returncode == 2 and "SCN-7009: limits.yml line 1: allow[0]" in done.stderr, done.stderr


def test_a_quota_ends_a_run_with_its_reason(bot: BotUnderTest) -> None:
    repo = bot.make_repo(
        files={**CALC, ".scenarist.yml": CALC[".scenarist.yml"] + "quotas: {run: {tool_calls: 5}}\n"}
    )
    looks = [says(call("read_file", path="calc.py", start_line=1 + n % 2)) for n in range(8)]
    bot.script([draft()], looks)
    number = bot.forge.open_issue(repo.full_name, "ada", "Double numbers", "4 becomes 8, please.").number
    bot.forge.add_label(repo.full_name, number, "agent:implement", "ada")
    state = bot.finished(repo, "issue", number)
    assert state.status == "gave_up" and "quota of 5 tool calls a run" in state.reason
    texts = [
        e.event.text
        for e in bot.store.entries(bot.runs_on(repo, "issue", number)[0])
        if isinstance(e.event, ToolCalled)
    ]
    assert "[quota: four fifths" in texts[3] and len(texts) == 5
