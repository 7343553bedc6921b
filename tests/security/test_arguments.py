"""Tricks with the arguments of tools: every tool gets every one, and each call ends in an answer."""

import json
from pathlib import Path
from typing import Any

import pytest

from runners.loop.calls import Caller
from runners.models.chat import ToolCall
from runners.sandbox.bubblewrap import Sandbox
from runners.sandbox.limits import CommandLimits
from runners.tools import FAR_TOOLS, FULL_TOOLS
from runners.tools.backends.processes import BackgroundCommands
from runners.tools.base import Tool, ToolContext
from runners.tools.test_runs import Project, Testing
from runners.verify.suites.suites import Suites
from tests.support.tool_context import call, caller

TOOLS = (*FULL_TOOLS, *FAR_TOOLS)
NAMES = [tool.name for tool in TOOLS]
TRICKS = {
    "an option": "--output=pwned",
    "a short option": "-rf",
    "two dashes": "--",
    "a NUL": "a\0b",
    "a line end": "a\nb\rc",
    "half a surrogate": "\udce9\ud800",
    "not UTF-8": b"\xff\xfe".decode("latin-1"),
    "a terminal escape": "\x1b]0;pwned\x07\x1b[2J",
    "the direction of text": "\u202egnp.exe",
    "a shell": "$(touch pwned); `touch pwned`; touch pwned",
    "a format": "%s%n{0.__class__}{{7*7}}",
    "git's magic": ":(top,exclude)*",
    "a very long name": "x" * 5000,
    "two megabytes": "x" * 2_000_000,
    "dots": "/".join([".."] * 50) + "/etc/passwd",
    "a glob": "**/**/**/**/**/**/**/**/**/[!a]*",
    "a slow expression": "(a+)+$(?#" + "a" * 40 + ")",
    "nothing": "",
}


def strings(tool: Tool[Any]) -> list[str]:
    """The arguments that take text."""
    schema = tool.arguments.model_json_schema()["properties"]
    return [name for name, field in schema.items() if "string" in json.dumps(field)]


def required(tool: Tool[Any], trick: str) -> dict[str, Any]:
    filled: dict[str, Any] = {}
    for name, field in tool.arguments.model_json_schema()["properties"].items():
        kind = json.dumps(field)
        if "array" in kind:
            filled[name] = [trick]
        elif name in strings(tool):
            filled[name] = trick
        elif "integer" in kind and name in tool.arguments.model_json_schema().get("required", []):
            filled[name] = 1
    return filled


@pytest.fixture
def full(ctx: ToolContext) -> Any:
    (ctx.root / "a").write_text("aaaa\n")
    assert call(ctx, "git_commit", message="a").ok
    testing = Testing(ctx.root, Suites(lambda *_: ctx.sandbox, features="features"))
    with BackgroundCommands(ctx.sandbox, 5) as background:
        resources = (testing, Project((), "features"), background)
        yield ToolContext(**{**ctx.__dict__, "resources": resources})


@pytest.mark.parametrize("trick", TRICKS)
def test_attack_an_argument(full: ToolContext, trick: str, tmp_path: Path) -> None:
    before = sorted(path.name for path in tmp_path.iterdir())
    for tool in TOOLS:
        if tool.name in ("shell", "start_command") and trick == "a shell":
            continue  # this one is what they are for
        if required(tool, "one") == required(tool, "another"):
            continue  # it takes no text
        result = call(full, tool.name, **required(tool, TRICKS[trick]))
        assert result.text and len(result.text) < 17_000, tool.name
        assert "The tool failed" not in result.text, (tool.name, result.text)
        result.text.encode()
    assert not (full.root / "pwned").exists() and not Path("pwned").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == before
    assert (full.root / "a").exists()


RAW = [
    "",
    "null",
    "[]",
    "7",
    '"path"',
    "{",
    '{"path": }',
    "{'path': 'a'}",
    '{"path": "a"} {"path": "b"}',
    "[" * 100_000,
    '{"a":' * 50_000,
    '{"path": {"path": {"path": "a"}}}',
    '{"path": ["a", "b"]}',
    '{"path": 1e999, "start_line": NaN}',
    '{"path": "a", "start_line": 99999999999999999999999999}',
    '{"path": "a", "start_line": -1, "end_line": 0}',
    '{"path": "a", "__class__": "x", "root": "/"}',
    '{"path": null}',
    "\0",
    "\ud800",
]


@pytest.mark.parametrize("raw", RAW, ids=range(len(RAW)))
def test_attack_arguments_that_are_no_object(full: ToolContext, raw: str) -> None:
    tools: Caller = caller(full)
    calls = [ToolCall(id=name, name=name, arguments=raw) for name in NAMES]
    for entry in tools.run(calls, None):
        assert entry.text and "The tool failed" not in entry.text, (entry.call.name, entry.text)
        entry.model_dump_json()


@pytest.mark.parametrize(
    "name", ["", "Read_File", "functions.read_file", "__init__", "run", "x" * 100_000, "a\nb", "../x"]
)
def test_attack_a_tool_that_is_not_there(full: ToolContext, name: str) -> None:
    [entry] = caller(full).run([ToolCall(id="1", name=name, arguments="{}")], None)
    assert not entry.ok and entry.text.startswith("There is no tool") and len(entry.text) < 17_000


def test_attack_a_slow_expression_over_a_large_file(full: ToolContext) -> None:
    """Without ripgrep, whose time is linear, Python's engine would try 2^5000 ways."""
    (full.root / "large").write_text("a" * 5000 + "!\n")
    box = Sandbox(full.root, env={"PATH": "/nowhere"}, limits=CommandLimits(wall_s=2))
    slow = ToolContext(**{**full.__dict__, "sandbox": box})
    stopped = call(slow, "search", pattern="(a|a)*$", path="large")
    assert not stopped.ok and "stopped because it took too long" in stopped.text
    assert call(full, "search", pattern="a!$", path="large").ok  # the control


def test_attack_change_the_tools_own_settings(full: ToolContext) -> None:
    """Fields of the context are no arguments: nothing a model sends reaches them."""
    for extra in ("root", "policy", "sandbox", "unsafe", "network", "cwd", "env"):
        result = call(full, "read_file", path="a", **{extra: "/"})
        assert not result.ok and extra in result.text
