"""Going round in circles is noticed, working is not."""

import pytest

from runners.events import ToolCalled
from runners.models.chat import ToolCall
from runners.stuck import circling


def called(name: str, arguments: str = "{}", text: str = "same", *, ok: bool = True) -> ToolCalled:
    made = ToolCall(id="1", name=name, arguments=arguments)
    return ToolCalled(call=made, ok=ok, text=text, seconds=0)


A, B = called("read_file", '{"path": "a"}'), called("read_file", '{"path": "b"}')
FAILED = called("edit_file", '{"old": "x"}', "not found", ok=False)


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
    ],
)
def test_circling(calls: list[ToolCalled], found: str | None) -> None:
    assert circling(calls) == found
