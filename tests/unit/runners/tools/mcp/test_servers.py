"""Real servers: processes in the sandbox, and one over HTTP."""

import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from runners.models.mcp_servers import McpServer
from runners.policy.capabilities import Grants, Policy
from runners.policy.redact import redactor
from runners.tools.base import ToolContext
from runners.tools.mcp.definitions import AcceptedTools
from runners.tools.mcp.servers import McpCatalog
from tests.standins.mcp_server import Script
from tests.support.mcp import definitions, servers, standin, use
from tests.support.tool_context import context
from tests.support.web_server import access, page, serving

# A server of the protocol's own kit.
KIT = """
from mcp.server import MCPServer
server = MCPServer("kit")

@server.tool()
def add(a: int, b: int) -> int:
    "Adds two numbers."
    return a + b

@server.tool()
def boom() -> str:
    "Fails."
    raise ValueError("it broke")

server.run("stdio")
"""


@pytest.fixture
def ctx(tmp_path: Path) -> ToolContext:
    return context(tmp_path)


def test_a_model_calls_a_tool_of_a_server(ctx: ToolContext) -> None:
    with servers(standin(), ctx.root) as found:
        (add, *_) = found.tools(Policy())
        assert (add.name, add.description) == ("mcp_s_add", "Adds two numbers.")
        assert add.schema is not None and add.schema["required"] == ["a", "b"]
        got = use(found, ctx, "add", a=1, b=2)
        assert got.ok and got.text == "3" and got.data["tool"] == "add" and len(got.data["sha256"]) == 64
        failed = use(found, ctx, "add", a=1, c=None)
        assert not failed.ok and failed.text == "a or b?"
        # Words of a model's own that no schema knows are passed on; null is taken for nothing.
        assert use(found, ctx, "echo", text=None).text == "(no text)"


def test_only_listed_and_allowed_tools_are_offered(ctx: ToolContext) -> None:
    with servers(standin(tools=("add", "echo")), ctx.root) as found:
        assert [each.name for each in found.tools(Policy())] == ["mcp_s_add", "mcp_s_echo"]
        denied = Policy(repository=Grants(deny=("mcp.call:s/add",)))
        assert [each.name for each in found.tools(denied)] == ["mcp_s_echo"]
        assert found.tools(Policy(operator=Grants(allow=("files.*",)))) == []


def test_a_server_of_the_kit(ctx: ToolContext, tmp_path: Path) -> None:
    (tmp_path / "kit").mkdir()
    (tmp_path / "kit/server.py").write_text(KIT)
    command = (sys.executable, str(tmp_path / "kit/server.py"))
    spec = McpServer(command=command, folders=(tmp_path / "kit",), start_seconds=200)
    catalog = McpCatalog({"s": spec}, AcceptedTools())
    session = catalog.connect("s", ctx.root, threading.Event())
    accepted = session.start(200)
    session.close()
    assert [each.problem for each in accepted] == ["", ""]
    with servers(spec, ctx.root, accepted) as found:
        assert use(found, ctx, "add", a=1, b=2).text == "3"
        failed = use(found, ctx, "boom")
        assert not failed.ok and "boom" in failed.text
        assert not use(found, ctx, "add", a="x").ok


def test_a_server_may_see_the_checkout_and_its_own_secrets(ctx: ToolContext) -> None:
    (ctx.root / "a.txt").write_text("here")
    spec, secret = standin(workspace=True), {"env": {"s": {"ITS_TOKEN": "t-1"}}}
    with servers(spec, ctx.root, catalog=secret) as found:
        seen = use(found, ctx, "look", text="/workspace").text
        assert "/workspace/a.txt" in seen and '"ITS_TOKEN": "t-1"' in seen
    with servers(standin(), ctx.root) as found:
        assert "a.txt" not in use(found, ctx, "look", text="/workspace").text


@pytest.fixture
def over_http(ctx: ToolContext) -> Iterator[tuple[str, list[str]]]:
    import json
    import socket

    script = Script([])

    def answer(client: socket.socket, request: str) -> None:
        message = json.loads(request.partition("\r\n\r\n")[2])
        found = [json.dumps(each) for each in script.answers(message)]
        if message.get("method") == "tools/call":
            events = "".join(f"event: message\r\ndata: {each}\r\n\r\n" for each in found)
            client.sendall(page(f": a comment\r\n\r\n{events}", "text/event-stream"))
        elif found:
            client.sendall(page(found[0], "application/json", Mcp_Session_Id="abc"))
        else:
            client.sendall(page("", status="202 Accepted"))

    with serving({"/mcp": answer}) as (port, seen):
        yield f"http://tools.test:{port}/mcp", seen


def test_a_server_over_http(ctx: ToolContext, over_http: tuple[str, list[str]]) -> None:
    url, seen = over_http
    own = {"headers": {"s": {"Authorization": "Bearer t-1"}}}
    with servers(McpServer(url=url), ctx.root, access=access(), catalog=own) as found:
        assert use(found, ctx, "add", a=1, b=2).text == "3"
    assert all("Authorization: Bearer t-1\r\n" in each for each in seen)
    first, *others = seen
    assert "Mcp-Session-Id" not in first
    assert all("Mcp-Session-Id: abc\r\n" in each for each in others)
    assert "MCP-Protocol-Version: 2025-11-25\r\n" in seen[-1]


def test_a_private_address_needs_the_word_of_the_operator(
    ctx: ToolContext, over_http: tuple[str, list[str]]
) -> None:
    url, seen = over_http
    guarded = access(guarded=True)
    with servers(McpServer(url=url), ctx.root, access=guarded) as found:
        got = use(found, ctx, "add", a=1, b=2)
        assert not got.ok and "not an address of the open internet" in got.text and seen == []
    with servers(McpServer(url=url, private=True), ctx.root, access=guarded) as found:
        assert use(found, ctx, "add", a=1, b=2).text == "3"


def test_a_server_that_fails_is_told_in_words(ctx: ToolContext) -> None:
    with servers(standin("exit"), ctx.root) as found:
        got = use(found, ctx, "add", a=1, b=2)
        assert not got.ok and "ended with status 1: no such configuration" in got.text
        use(found, ctx, "add", a=1, b=2)
        use(found, ctx, "add", a=1, b=2)
        assert "not started again" in use(found, ctx, "add", a=1, b=2).text
    with servers(McpServer(command=("no-such-program",)), ctx.root) as found:
        assert "no-such-program" in use(found, ctx, "add", a=1, b=2).text


def test_a_server_that_died_is_started_again(ctx: ToolContext) -> None:
    with servers(standin(), ctx.root) as found:
        assert "ended with status 1: the reason" in use(found, ctx, "die").text
        assert use(found, ctx, "add", a=1, b=2).text == "3"


def test_a_run_that_is_stopped_does_not_wait_for_a_server(ctx: ToolContext) -> None:
    cancel = threading.Event()
    with servers(standin(), ctx.root, cancel=cancel) as found:
        assert use(found, ctx, "add", a=1, b=2).ok
        threading.Timer(0.2, cancel.set).start()
        assert "was stopped with the run" in use(found, ctx, "hang").text


def test_without_a_sandbox_no_server_is_started(ctx: ToolContext) -> None:
    with servers(standin(), ctx.root, unsafe=True) as found:
        assert "works without one" in use(found, ctx, "add", a=1, b=2).text


def test_no_prompt_holds_what_is_not_accepted(ctx: ToolContext) -> None:
    with servers(standin("describe=New words."), ctx.root, definitions()[:1]) as found:
        assert [(each.name, each.description) for each in found.tools(Policy())] == [
            ("mcp_s_add", "Adds two numbers.")
        ]


def test_the_token_in_a_header_is_a_secret_of_its_own() -> None:
    catalog = McpCatalog(env={"a": {"KEY": "two words"}}, headers={"b": {"Authorization": "Bearer sk-12345"}})
    redact = redactor(catalog.secrets)
    said = redact.text("It was sk-12345, sent as Bearer sk-12345, with two words of words.")
    assert "sk-12345" not in said and "two words" not in said
    assert said.endswith("of words."), "no part of another value is one"
