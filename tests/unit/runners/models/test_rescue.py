"""Tool calls as models really write them: the corpus, and noise."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runners.models.chat import Reply, ToolCall
from runners.models.rescue import rescue
from runners.models.text_calls.lenient import NoJsonHere, read
from runners.tools import FULL_TOOLS
from runners.tools.base import Toolbox

CORPUS = Path(__file__).parents[3] / "corpus" / "tool_calls"
BOX = Toolbox(FULL_TOOLS)
TOOLS = BOX.schemas()
CASES = [
    (path.stem, case)
    for path in sorted(CORPUS.glob("*.json"))
    for case in json.loads(path.read_text(encoding="utf-8"))
]


def outcome(case: dict[str, Any]) -> tuple[Any, Any]:
    """(what came, what was expected), both in the corpus's terms."""
    reply = Reply(
        text=case["reply"]["text"], tool_calls=[ToolCall(**c) for c in case["reply"].get("tool_calls", [])]
    )
    got = rescue(reply, TOOLS, BOX.writing, 0)
    if got.correction:
        return {"correction": True}, case["expect"]
    if not got.calls:
        return {"nothing": True}, case["expect"]
    return {"calls": [{"name": c.name, "arguments": parsed(c.arguments)} for c in got.calls]}, case["expect"]


def parsed(arguments: str) -> Any:
    try:
        return json.loads(arguments or "{}") if json.loads(arguments or "{}") is not None else {}
    except ValueError:
        return arguments


@pytest.mark.parametrize(
    ("family", "case"), CASES, ids=[f"{family}: {case['name']}" for family, case in CASES]
)
def test_the_corpus(family: str, case: dict[str, Any]) -> None:
    got, expected = outcome(case)
    for call in expected.get("calls", ()):
        if isinstance(call["arguments"], str):
            call["arguments"] = parsed(call["arguments"])
    assert got == expected


def test_the_corpus_is_large_enough() -> None:
    families = Counter(family for family, _ in CASES)
    assert len(CASES) >= 150 and len(families) >= 8
    assert all(case["source"] and case["name"] for _, case in CASES)
    assert sum("nothing" in case["expect"] for _, case in CASES) >= 30


PIECES = [
    "<tool_call>", "</tool_call>", '{"name": "read_file", "arguments": ', '{"path": "a"}', "}", "[TOOL_CALLS]", "<|python_tag|>", "<function=read_file>",
    "<parameter=path>", "</parameter>", "<arg_key>", "</arg_key><arg_value>", "<think>", "</think>", "```json\n", "```", "\n", "`", "> ", "Action: read_file\n",
    "Action Input: ", "<｜tool▁call▁begin｜>", "<|channel|>commentary to=functions.read_file <|message|>", "<name>", "</name>",
    "<|tool_call>call:read_file{path:", '<|"|>', "<tool_call|>", "<｜DSML｜invoke name=\"read_file\">", "<｜DSML｜parameter name=\"path\" string=\"true\">", "</｜DSML｜invoke>",
    "]<]minimax[>[", "<invoke name=\"read_file\">", "<path>", "</path>", "</invoke>", "[TOOL_CALL]", "[/TOOL_CALL]", "{tool => ", "--path ", " to=functions.read_file", "<|message|>", ". ",
    "<|channel>thought", "<channel|>", "[THINK]", '"', "'", "\\", "[", "]", "{", ",", ":", "a", " ", "ä", "\ud800",
]  # fmt: skip


@settings(max_examples=500, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=40).map("".join))
def test_nothing_raises(text: str) -> None:
    found = rescue(Reply(text=text), TOOLS, BOX.writing, 0)
    for call in found.calls:
        assert call.name in {tool.name for tool in TOOLS} and isinstance(json.loads(call.arguments), dict)
    rescue(
        Reply(
            tool_calls=(
                ToolCall(id="1", name=text, arguments=text),
                ToolCall(id="2", name="read_file", arguments=text),
            )
        ),
        TOOLS,
        BOX.writing,
        0,
    )


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=300, deadline=None)
@given(JSON, st.text(max_size=5))
def test_whole_json_is_read_as_it_is(value: Any, tail: str) -> None:
    text = json.dumps(value)
    found = read(f"{text}\n{tail}")
    assert found.value == value and not found.guessed and not found.truncated
    if isinstance(value, dict | list):
        assert found.end == len(text)


@settings(max_examples=300, deadline=None)
@given(JSON, st.integers(1, 200))
def test_json_that_is_cut_is_said_to_be(value: Any, cut: int) -> None:
    text = json.dumps({"key": value})
    part = text[: max(1, len(text) - cut)]
    try:
        found = read(part)
    except NoJsonHere:
        return
    assert found.truncated


_NOISE = """
import resource, sys
from runners.models.chat import Reply
from runners.models.rescue import rescue
resource.setrlimit(resource.RLIMIT_CPU, (60, 60))
for piece in sys.argv[1:]:
    rescue(Reply(text=piece * (1_000_000 // len(piece))), (), frozenset(), 0)
"""


def test_a_megabyte_of_any_noise_comes_to_an_end() -> None:
    """Whatever takes quadratic time on one of the pieces is killed by the limit.

    Linear time is a few seconds in all.
    """
    pieces = [piece for piece in PIECES if piece.strip() and piece != "\ud800"]
    done = subprocess.run([sys.executable, "-c", _NOISE, *pieces], cwd=CORPUS.parents[2], check=False)
    assert done.returncode == 0


@pytest.mark.parametrize("number", ["00", "007", "-01", "٣", "1.", "-", "1" * 400, "1e9999", "0x1f", "1_000"])
def test_numbers_that_json_does_not_have_break_nothing(number: str) -> None:
    for text in (f'{{"name": "read_file", "arguments": {{"path": {number}}}}}', f"[{number}]", number):
        made = ToolCall(id="1", name="read_file", arguments=text)
        for reply in (Reply(text=text), Reply(tool_calls=(made,))):
            for call in rescue(reply, TOOLS, frozenset(), 1).calls:
                assert call.name == "read_file"
