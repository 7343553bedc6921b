"""MCP servers of the operator in runs of a whole bot, on the local forge."""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from runners.contract.events import ToolCalled
from runners.loop.audit import verify
from runners.tools.mcp.definitions import AcceptedTools, accepted_file, write_accepted
from tests.standins.chat_server import ChatServer, call
from tests.support.harness import CALC, BotUnderTest, doubling, draft, says
from tests.support.mcp import STANDIN, definitions

TOKEN = "canary-mcp-77ab"
ROLES = ("analyst", "driver", "navigator", "reviewer")


@pytest.fixture
def chat() -> Iterator[ChatServer]:
    with ChatServer([], []) as server:
        yield server


@pytest.fixture
def bot(tmp_path: Path, chat: ChatServer) -> Iterator[BotUnderTest]:
    models = tmp_path / "models.yml"
    models.write_text(
        f"runtimes:\n  here: {{provider: vllm, url: '{chat.url}'}}\n"
        "mcp:\n"
        f"  sums:\n    command: ['{sys.executable}', '{STANDIN}']\n    folders: ['{STANDIN.parent}']\n"
        "    tools: [add, echo, look, redefine]\n    env: {ITS_TOKEN: {env: SUMS_TOKEN}}\n"
        "agents:\n" + "".join(f"  {role}: {{runtime: here, mcp: [sums]}}\n" for role in ROLES)
    )
    write_accepted(accepted_file(models), AcceptedTools(servers={"sums": definitions()}))
    with BotUnderTest({"models_file": models}, runner_env={"SUMS_TOKEN": TOKEN}) as made:
        yield made


def others_look_things_up(called: Sequence[ToolCalled], chat: ChatServer) -> None:
    """The roles that answer in one request called tools before it, and read the results with it."""
    for role in ("analyst", "navigator", "reviewer"):
        added, _, refused = [each for each in called if each.node == role]
        assert added.ok and added.text == "23" and added.capability == "mcp.call"
        assert refused.denied and "until the operator accepts it again" in refused.text
    asked = [each for each in chat.requests if "What you looked up" in str(each["messages"][-1])]
    assert len(asked) == 3, "the scenarios, the advice and the review follow the results"
    assert all("tools" not in each and "=====" in each["messages"][-1]["content"] for each in asked)


def test_tools_of_a_server_in_a_run(bot: BotUnderTest, chat: ChatServer) -> None:
    documents = {f"docs/{name}.md": f"# {name}\n\nAbout {name}.\n" for name in ("a", "b")}
    guide = {"docs/guide.md": "# Doubling\n\nDoubling a number n gives 2 * n.\n"}
    repo = bot.make_repo(files={**CALC, **documents, **guide})
    begin, *rest = doubling()
    first = says(
        call("mcp_sums_add", a=4, b=4),
        call("mcp_sums_look", text="/workspace"),
        call("mcp_sums_redefine"),
        call("mcp_sums_add", a=4, b=5),
        call("mcp_sums_hang"),
        call("search_docs", query="double numbers"),
        call("check_claim", claim="Doubling a number gives 3 times n"),
    )
    chat.lookups = [
        says(call("mcp_sums_add", a=20, b=3), call("mcp_sums_redefine")),
        says(call("mcp_sums_add", a=1, b=1)),
    ]
    again = [says(call("read_file", path="calc.py"))] * 4  # so that the navigator is asked
    chat.specify, chat.implement = [draft()], [*again, begin, first, *rest]
    number = bot.forge.open_issue(repo.full_name, "ada", "Double numbers", "4 becomes 8, please.").number
    bot.forge.add_label(repo.full_name, number, "agent:implement", "ada")
    state = bot.finished(repo, "issue", number)
    assert state.status == "done", state.reason

    [run] = bot.runs_on(repo, "issue", number)
    entries = bot.store.entries(run)
    every = [e.event for e in entries if isinstance(e.event, ToolCalled)]
    assert verify(every) is None, "all roles write one audit trail"
    others_look_things_up(every, chat)
    called = [each for each in every if not each.node]
    added, looked, _, refused, hang = [each for each in called if each.call.name.startswith("mcp_")]
    assert added.ok and added.text == "8" and added.capability == "mcp.call"
    assert added.data["server"] == "sums" and added.data["sha256"] == definitions()[0].sha256
    assert looked.ok and TOKEN not in looked.text and "calc.py" not in looked.text
    assert refused.denied and "until the operator accepts it again" in refused.text
    searched, checked = [each for each in called if each.call.name in ("search_docs", "check_claim")]
    assert searched.ok and searched.text.startswith("docs/guide.md:3 (Doubling)")
    assert not checked.ok and checked.text.startswith("not found") and "`3`" in checked.text
    assert "There is no tool" in hang.text, "it is accepted, but not listed"
    driver = [each for each in chat.requests if "read_file" in str(each.get("tools"))]
    offered = {tool["function"]["name"] for tool in driver[-1]["tools"]}
    assert {each for each in offered if each.startswith("mcp_")} == {
        "mcp_sums_add",
        "mcp_sums_echo",
        "mcp_sums_look",
        "mcp_sums_redefine",
    }
    assert TOKEN not in "\n".join(each.model_dump_json() for each in entries)
    environ = {**os.environ, "SCENARIST_STATE_DIR": str(bot.state_dir)}
    words = [sys.executable, "-m", "bot", "audit", run]
    audit = subprocess.run(words, env=environ, capture_output=True, text=True).stdout
    assert "mcp_sums_add" in audit and "mcp.call" in audit
