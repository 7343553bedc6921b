import json
import threading
from pathlib import Path

import pytest
from pydantic import Field

from gherkin.errors import ScenaristError
from runners.models.chat import ToolCall
from runners.policy.plaintext import cut_middle
from runners.sandbox.bubblewrap import Sandbox
from runners.sandbox.limits import CommandLimits
from runners.tools import EDIT_TOOLS, FULL_TOOLS, READ_TOOLS
from runners.tools.base import Arguments, Toolbox, ToolContext, ToolResult, tool
from tests.support.tool_context import call, context


@pytest.fixture
def ctx(tmp_path: Path) -> ToolContext:
    return context(tmp_path)


class Sample(Arguments):
    text: str = Field(description="Some text.")
    times: int = Field(default=1, ge=1, le=3)
    end: str | None = None


@tool("files.read", writes=False)
def sample(ctx: ToolContext, args: Sample) -> ToolResult:
    """Repeat a text,
    up to three times.

    This is not for the model.
    """
    if args.text == "bug":
        raise KeyError("inner detail")
    if args.text == "known":
        raise ScenaristError("It is known.")
    return ToolResult(ok=True, text=args.text * args.times + (args.end or ""))


BOX = Toolbox([sample])


def send(ctx: ToolContext, arguments: str, name: str = "sample") -> ToolResult:
    return BOX.call(ctx, ToolCall(id="1", name=name, arguments=arguments))


def test_the_schema_is_what_a_model_needs() -> None:
    [schema] = BOX.schemas()
    assert schema.model_dump() == {
        "name": "sample",
        "description": "Repeat a text, up to three times.",
        "parameters": {
            "type": "object",
            "additionalProperties": False,
            "required": ["text"],
            "properties": {
                "text": {"type": "string", "description": "Some text."},
                "times": {"type": "integer", "default": 1, "minimum": 1, "maximum": 3},
                "end": {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None},
            },
        },
    }


def test_a_call(ctx: ToolContext) -> None:
    assert send(ctx, '{"text": "a", "times": "2"}') == ToolResult(ok=True, text="aa")
    assert send(ctx, '{"text": "a", "times": null, "end": null}').text == "a"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ('{"text": ', "not valid JSON"),
        ("[" * 100_000, "not valid JSON"),
        ("[1]", "must be one JSON object with `text` (required), `times` (optional)"),
        ("", "- text is missing"),
        ('{"text": null}', "- text should be text"),
        ('{"text": "a", "times": 9}', "- times should be at most 3"),
        ('{"text": "a", "other": 1}', "- other is not known here"),
        ('{"text": "bug"}', "The tool failed: KeyError"),
        ('{"text": "known"}', "It is known."),
    ],
)
def test_whatever_is_wrong_is_an_answer(ctx: ToolContext, arguments: str, says: str) -> None:
    result = send(ctx, arguments)
    assert not result.ok and says in result.text and "Traceback" not in result.text


def test_an_unknown_tool(ctx: ToolContext) -> None:
    result = send(ctx, "{}", name="read")
    assert (
        not result.ok
        and result.text == "There is no tool `read`. The tools are: sample, finish, give_up, ask."
    )


def test_long_answers_are_cut(ctx: ToolContext) -> None:
    text = send(ctx, json.dumps({"text": "x" * 20_000})).text
    assert len(text) < 16_100 and "4,000 characters cut from the middle" in text
    assert cut_middle("abcdef", 4) == "ab\n[… 2 characters cut from the middle …]\nef"
    assert cut_middle("abcdef", 6) == "abcdef"


def test_half_surrogates_do_not_reach_the_model(ctx: ToolContext) -> None:
    send(ctx, '{"text": "\\udce9"}').text.encode()


def test_the_sets() -> None:
    assert [t.name for t in READ_TOOLS if t.writes] == []
    assert {t.name for t in FULL_TOOLS if not t.writes} == {
        *(t.name for t in READ_TOOLS),
        *(
            "file_info",
            "diff_files",
            "git_show",
            "git_blame",
            "git_merge_base",
            "poll_command",
            "detect_tests",
        ),
    }
    assert set(READ_TOOLS) < set(EDIT_TOOLS) < set(FULL_TOOLS)
    for schema in Toolbox(FULL_TOOLS).schemas():
        assert schema.description.endswith(".")
        assert all(field.get("description") for field in schema.parameters["properties"].values()), (
            schema.name
        )


def test_git(ctx: ToolContext) -> None:
    assert call(ctx, "git_status").text == "Nothing differs from the last commit."
    (ctx.root / "a").write_text("new\n")
    assert call(ctx, "git_status").text == "A  a"
    assert "+new" in call(ctx, "git_diff", path="/workspace/a").text
    assert call(ctx, "git_diff", path="b").text == "There is no difference."
    assert "first" in call(ctx, "git_log").text
    assert not call(ctx, "git_log", limit=0).ok
    assert not call(ctx, "git_diff", path="../x").ok


def test_shell(ctx: ToolContext) -> None:
    result = call(ctx, "shell", command="echo hello > f; cat f; pwd")
    assert result.ok and result.text == "Exit code 0.\nhello\n/workspace"
    assert (ctx.root / "f").exists()
    failed = call(ctx, "shell", command="exit 7")
    assert not failed.ok and failed.text == "Exit code 7." and failed.data["exit_code"] == 7


def test_shell_is_stopped(ctx: ToolContext) -> None:
    result = call(ctx, "shell", command="echo begun; sleep 600", timeout_s=1)
    assert not result.ok and "stopped after 1 s" in result.text and "begun" in result.text


def test_shell_cannot_have_more_time_than_the_sandbox(tmp_path: Path) -> None:
    box = tmp_path / "box"
    box.mkdir()
    ctx = context(tmp_path, sandbox=Sandbox(box, limits=CommandLimits(wall_s=1)))
    assert "stopped after 1 s" in call(ctx, "shell", command="sleep 600", timeout_s=600).text
    assert not call(ctx, "shell", command="true", timeout_s=601).ok


def test_a_cancelled_run_stops_the_shell(tmp_path: Path) -> None:
    cancel = threading.Event()
    cancel.set()
    result = call(context(tmp_path, cancel=cancel), "shell", command="sleep 600")
    assert not result.ok and "cancelled" in result.text


def test_run_tests(ctx: ToolContext) -> None:
    assert call(ctx, "run_tests").text == "tested None"
    assert call(ctx, "run_tests", paths="tests/a.py  features").text == "tested tests/a.py features"
    assert "not options" in call(ctx, "run_tests", paths="tests --pdb").text
