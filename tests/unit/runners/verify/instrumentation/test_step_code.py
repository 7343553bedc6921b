"""Step files that count what they assert."""

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from runners.verify.instrumentation import step_code
from runners.verify.instrumentation.sabotage import INVERTED


@pytest.fixture
def counts(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    module = ModuleType("scenarist_steps")
    module.__dict__.update(asserted=0, idle=0, judged=0)
    monkeypatch.setitem(sys.modules, "scenarist_steps", module)
    return module


def _run(
    body: str, folder: Path, *, switch: str = "", values: object = (), own: tuple[str, ...] = ()
) -> None:
    lines = "".join(f"    {line}\n" for line in body.splitlines())
    source = f"from __future__ import annotations\n\n\ndef check(values):\n{lines}"
    place = folder / "switch"
    if switch:
        place.symlink_to(switch)
    names: dict[str, Any] = {}
    exec(step_code.watched(source, str(place), own), names)  # noqa: S102 - what is tested is code
    names["check"](values)


def test_an_assertion_says_the_opposite(tmp_path: Path) -> None:
    _run("assert values == 8", tmp_path, values=8)
    _run("assert values == 8", tmp_path, values=9, switch=INVERTED)
    with pytest.raises(AssertionError):
        _run("assert values == 8", tmp_path, values=8)


@pytest.mark.parametrize(
    ("body", "asserted", "idle"),
    [
        ("for value in values:\n    assert value", 0, 1),
        ("for value in [1]:\n    assert value", 1, 0),
        ("assert all(value for value in values)", 0, 1),
        ("assert not any([value for value in values])", 0, 1),
        ("assert all(value for value in [1])", 1, 0),
        ("assert not values", 1, 0),
        ("if values:\n    assert values[0]", 0, 1),
        ("if values:\n    assert values[0]\nelse:\n    assert values == ()", 1, 0),
        ("for value in values:\n    print(value)", 0, 0),
        ("while values:\n    assert values.pop()", 0, 1),
        ("left = [1]\nwhile left:\n    assert left.pop()", 1, 0),
        ("while values:\n    assert values.pop()\nelse:\n    assert values == ()", 1, 1),
        ("import time\nwhile values:\n    assert time.monotonic()", 0, 0),
    ],
)
def test_what_runs_over_nothing_is_counted(
    counts: ModuleType, tmp_path: Path, body: str, asserted: int, idle: int
) -> None:
    _run(body, tmp_path)
    assert (counts.asserted, counts.idle) == (asserted, idle)


@pytest.mark.parametrize(
    ("body", "judges"),
    [
        ("if values:\n    raise AssertionError", True),
        ("if values:\n    verify(values)", True),
        ("if values:\n    assert False, 'no'", True),
        ("import pytest\nwith pytest.raises(KeyError):\n    {}[1]", True),
        ("print(values)", False),
        ("if values:\n    helper(values)", False),
        ("for value in values:\n    assert value\n    verify(value)", False),
    ],
)
def test_what_may_fail_in_another_way_is_counted(
    counts: ModuleType, tmp_path: Path, body: str, judges: bool
) -> None:
    _run(body, tmp_path, own=("helper",))
    assert bool(counts.judged) is judges


def test_coroutines_and_functions_are_found() -> None:
    source = (
        "async def check():\n    assert 1 == x\n\n\nasync def go():\n    await x\n\n\ndef f():\n    pass\n"
    )
    assert step_code.asserting_coroutines(source) == {"check"}
    assert step_code.functions(source) == {"check", "go", "f"}
    assert step_code.functions("def :") == step_code.asserting_coroutines("def :") == set()


def test_what_is_no_python_is_said() -> None:
    with pytest.raises(SyntaxError):
        step_code.watched("def :", "/switch")


def test_what_a_step_file_may_put_on_the_context_is_all_that_it_does_not_only_ask_for() -> None:
    source = (
        "context.one = given()\nsetattr(context, 'two', 2)\nfor context.three in [3]:\n    pass\n"
        "getattr(context, 'four', None)\nhasattr(context, 'five')\n'six' in context\n"
        "context.errors = []\ncontext.eight = 8\ncontext.log = []\ncontext.log.append(0)\n\n\n"
        "@then('it is so')\ndef step(context):\n    assert not context.errors and context.seven\n"
    )
    names, constants = step_code.stored(source)
    assert names >= {"one", "two", "three", "log"}
    assert not names & {"four", "five", "six", "seven", "errors", "eight"}
    assert constants >= {"errors", "eight"}
    assert step_code.stored("def (") == (set(), set())
