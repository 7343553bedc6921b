"""An operator's nodes between verify and publish: a command and an agent at the same time, then a person."""

import json
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from bot.log.events import Event, PhaseFinished
from runners.contract.events import ModelReplied, NodeReported, PromptSent
from runners.loop.audit import verify
from runners.models.chat import Reply
from tests.standins.chat_server import ChatServer, call
from tests.support.harness import CALC, REPO, BotUnderTest, doubling, draft, says
from tests.support.waiting import HANG_S, wait_until

pytestmark = pytest.mark.xdist_group("candidates")

WORKFLOW = """
nodes:
  checks: {kind: parallel, branches: [licence, security_review], before: publish}
  licence: {kind: command, run: "grep -q Licence calc.py || { echo 'calc.py names no licence'; exit 3; }"}
  security_review: {kind: agent, prompt: security.md, tools: [read_file, search_docs], output: {severity: {type: string}}}
  large:
    kind: conditional
    before: publish
    branches: [{when: {scenarios: {over: 0}}, to: sign_off}]
  sign_off: {kind: human, ask: "May this be published, @all?", to: {done: publish}}
"""


class Checked:
    """A bot with that workflow, its driver and its reviewer."""

    def __init__(self, bot: BotUnderTest, reader: ChatServer) -> None:
        self.bot, self.reader = bot, reader

    def events(self, run_id: str) -> list[Event]:
        return [entry.event for entry in self.bot.store.entries(run_id)]


@pytest.fixture(scope="module")
def checked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checked]:
    folder: Path = tmp_path_factory.mktemp("workflow")
    with ExitStack() as stack:
        driver, reader = (stack.enter_context(ChatServer([], [])) for _ in range(2))
        (folder / "models.yml").write_text(
            "runtimes:\n"
            f"  own: {{provider: vllm, url: '{driver.url}'}}\n"
            f"  reader: {{provider: vllm, url: '{reader.url}', model: careful}}\n"
            "agents:\n  driver: {runtime: own}\n  reviewer: {runtime: reader}\n"
        )
        (folder / "security.md").write_text("Look for injections.")
        (folder / "workflow.yml").write_text(WORKFLOW)
        settings = {
            "models_file": folder / "models.yml",
            "workflow_file": folder / "workflow.yml",
            "lease_seconds": 4.0,
        }
        bot = stack.enter_context(BotUnderTest(settings))
        bot.chat = driver
        yield Checked(bot, reader)


def test_a_change_passes_the_operators_nodes_before_it_is_published(checked: Checked) -> None:
    bot, asked, released = checked.bot, list[dict[str, Any]](), threading.Event()

    def reviewed(request: dict[str, Any]) -> Reply:
        asked.append(request)
        released.wait(HANG_S)
        if request["messages"][-1]["role"] == "user":
            return says(call("read_file", path="calc.py"), call("search_docs", query="doubling"))
        found = {"path": "calc.py", "line": 1, "text": "Fine."}
        return Reply(text=json.dumps({"outcome": "done", "findings": [found], "severity": "none"}))

    checked.reader.always = reviewed
    checked.reader.remarks = Reply(text='{"remarks": []}')
    code = "# Licence: MIT\n" + CALC["calc.py"] + "\n\ndef double(n):\n    return 2 * n\n"
    mended = [
        says(call("write_file", path="calc.py", content=code)),
        says(call("finish", summary="Licensed.")),
    ]
    bot.script([draft()], [*doubling(), *mended])
    repo = bot.make_repo(files={**CALC, "docs/guide.md": "# Doubling\n\nDoubling gives 2 * n.\n"})
    number = bot.forge.open_issue(REPO, "ada", "Double", "Doubling 4 should give 8.").number
    bot.forge.add_label(REPO, number, "agent:implement", "ada")

    def reported() -> str:
        runs = bot.runs_on(repo, "issue", number)
        found = [each for each in checked.events(runs[0]) if isinstance(each, NodeReported)] if runs else []
        return runs[0] if found else ""

    run_id = wait_until(reported, "the report of the command")
    bot.group.kill("runs")  # the agent is at work still
    assert bot.group.revive() == ["runs"]
    released.set()
    state = bot.finished(repo, "issue", number)
    assert state.status == "paused" and state.waits_at_node == "sign_off", state.reason
    events = checked.events(run_id)
    reports = [(each.node, each.outcome) for each in events if isinstance(each, NodeReported)]
    assert reports[:2] == [("licence", "red"), ("security_review", "done")], "what has ended is not repeated"
    assert sorted(reports[2:]) == [("licence", "done"), ("security_review", "done")]
    told = [event.text for event in events if isinstance(event, PromptSent) and event.reason == "node"]
    assert len(told) == 1 and "`licence` ended with exit code 3" in told[0] and "names no licence" in told[0]
    assert "Look for injections." in asked[0]["messages"][0]["content"]
    assert "+def double(n):" in asked[0]["messages"][-1]["content"]
    paid = [event for event in events if isinstance(event, ModelReplied) and event.phase == "node"]
    assert {each.runtime for each in paid} == {"reader"}
    searched = [each for each in events if each.type == "ToolCalled" and each.call.name == "search_docs"]
    assert searched and searched[0].ok and searched[0].text.startswith("docs/guide.md:3 (Doubling)")
    assert verify([event for event in events if event.type == "ToolCalled"]) is None
    ended = [event.node for event in events if isinstance(event, PhaseFinished) and event.phase == "node"]
    assert ended == ["checks", "checks", "sign_off"]
    comments = [each.body for each in bot.forge.comments(repo, number)]
    assert any(
        "please approve that this run continues" in body and "May this be published" in body
        for body in comments
    )
    assert not any("published, @all" in body for body in comments)

    bot.forge.add_comment(REPO, number, "wim", "/agent revise Make it triple.")
    bot.idle()
    assert bot.finished(repo, "issue", number).status == "paused", "only an approval goes on"
    bot.forge.add_comment(REPO, number, "wim", "/agent approve")
    wait_until(lambda: bot.state(run_id).status == "done", "the end of the run")
    state = bot.finished(repo, "issue", number)
    assert state.published is not None
    body = bot.forge.pull(repo, state.published.pull).body
    assert "| licence | nothing to fix | exit code 0 |" in body
    assert r"| security\_review | nothing to fix | careful" in body
    assert r"| sign\_off | approved | by wim |" in body
