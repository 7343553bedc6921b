"""A model that repeats itself is noticed, one that works is not."""

import json

import pytest

from runners.contract.events import ToolCalled
from runners.loop.stuck import stuck_pattern
from runners.models.chat import ToolCall


def called(name: str, arguments: str = "{}", text: str = "same", *, ok: bool = True) -> ToolCalled:
    made = ToolCall(id="1", name=name, arguments=arguments)
    return ToolCalled(call=made, ok=ok, text=text, seconds=0)


A, B = called("read_file", '{"path": "a"}'), called("read_file", '{"path": "b"}')
FAILED = called("edit_file", '{"old": "x"}', "not found", ok=False)


CHANGE = called("write_file", '{"path": "a"}', "Written.").model_copy(update={"files_changed": ("a",)})


def red(text: str) -> ToolCalled:
    return called("run_tests", text=text, ok=False)


def edit(old: str, new: str, path: str = "a.py") -> ToolCalled:
    made = called("edit_file", json.dumps({"path": path, "old": old, "new": new}), f"{old} {new}")
    return made.model_copy(update={"files_changed": (path,)})


@pytest.mark.parametrize(
    ("calls", "found"),
    [
        ([], None),
        ([A] * 3, None),
        ([A] * 4, "repeats"),
        ([B, A, A, A, A], "repeats"),
        ([A, called("read_file", '{ "path":"a"}'), A, A], "repeats"),
        ([A, A, A, B], None),
        ([FAILED] * 2, None),
        ([FAILED] * 3, "fails"),
        ([FAILED, A, FAILED, FAILED], None),
        ([A, B] * 2, None),
        ([A, B] * 3, "alternates"),
        ([called("run_tests", text=f"{n} failed") for n in range(9)], None),
        ([called("shell", "not json", ok=False)] * 3, "fails"),
        ([red("1 failed in 0.3 s"), A, red("1 failed in 0.4 s"), B, red("1 failed in 0.5 s")], "unchanged"),
        ([red("1 failed"), A, red("1 failed"), CHANGE, red("1 failed")], None),
        ([red("1 failed"), A, red("2 failed"), A, red("1 failed")], None),
        ([edit("a\nb", "a\nc"), A, edit("c", "b"), B, edit("b", "c")], "oscillates"),
        ([edit("a\nb", "a\nc"), A, edit("c", "b")], None),
        ([edit("b", "c"), edit("d", "e"), edit("e", "d")], None),
        ([edit("b", "c"), edit("c", "b", "other.py"), edit("b", "c")], None),
    ],
)
def test_circling(calls: list[ToolCalled], found: str | None) -> None:
    assert stuck_pattern(calls) == found
