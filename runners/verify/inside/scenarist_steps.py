"""Count what instrumented step files report about one step, to see whether it asserts anything.

`asserted` counts the assertions that were reached. `idle` counts loops with assertions that ran over nothing,
and false conditions before assertions. `judged` counts functions that may fail in other ways.
"""

from __future__ import annotations

import contextlib
import re
import warnings
from collections.abc import Iterator
from types import CodeType
from typing import Any

asserted = idle = judged = 0

_UNAWAITED = re.compile(r"coroutine '(?:[^']*\.)?([^'.]+)' was never awaited")
_QUOTED = re.compile(r"[\"'“«`]([^\"'“”«»`]+)[\"'”»`]|(?<![\w.])(-?\d+(?:\.\d+)?)")
_MOST = 6


def begin() -> None:
    """Start to count from 0."""
    global asserted, idle, judged
    asserted = idle = judged = 0


def counted() -> dict[str, int]:
    """Return what was counted since `begin`."""
    return {"asserted": asserted, "idle": idle, "judged": judged}


@contextlib.contextmanager
def unawaited() -> Iterator[list[str]]:
    """Yield a list of the names of coroutines that are made meanwhile and never awaited."""
    found: list[str] = []

    def note(message: Any, *_args: Any, **_more: Any) -> None:
        found.extend(_UNAWAITED.findall(str(message)))

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = note
        yield found


def candidates(name: str, function: Any) -> list[Any]:
    """Return the values that a step names in its text `name`, or in the code of its definition; at most
    six.
    """
    found: list[Any] = []
    for word, number in _QUOTED.findall(name):
        found.append(word or (float(number) if "." in number else int(number)))
    found += _constants(getattr(function, "__code__", None))
    return [each for place, each in enumerate(found) if each not in found[:place]][:_MOST]


def _constants(code: CodeType | None) -> list[Any]:
    found: list[Any] = []
    for each in code.co_consts if code else ():
        if isinstance(each, CodeType):
            found += _constants(each)
        for one in each if isinstance(each, (tuple, frozenset)) else (each,):
            if type(one) in (str, int, float) and one != "" and "<" not in str(one):
                found.append(one)
    return found


def having(value: Any, wanted: Any) -> Any:
    """Return `value` as it would be if the step's denial were false: it is `wanted`, or contains it."""
    kind = type(value)
    if value is None or (kind is str and type(wanted) is str):
        return wanted
    if kind is bool:
        return not value
    if kind in (int, float) and type(wanted) in (int, float):
        return wanted
    if kind in (list, tuple):
        return kind([*value, wanted])
    if kind in (set, frozenset):
        return kind([*value, wanted])
    if kind is dict:
        return {**value, wanted: wanted}
    return value
