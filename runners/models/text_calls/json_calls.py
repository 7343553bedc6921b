"""Read calls that are JSON: an object with a name and arguments, by whatever names models give these two."""

import re
from collections.abc import Iterator
from typing import Any

from runners.models.text_calls.found import MAX_CALLS, FoundCall
from runners.models.text_calls.lenient import JSON, Dialect, Lenient, NoJsonHere, read

_NAMES = ("name", "tool", "tool_name", "function", "action")
_ARGUMENTS = ("arguments", "parameters", "args", "input", "action_input", "tool_input", "params")
_SPACE = re.compile(r"\s*")


def lenient(text: str, at: int = 0, dialect: Dialect = JSON) -> Lenient | None:
    """Return a JSON object or list at `at`, or a string in its place; None if there is none."""
    space = _SPACE.match(text, at)
    place = space.end() if space else at
    if text[place : place + 1] not in ("{", "[", '"', "'"):
        return None
    try:
        return read(text, place, dialect)
    except NoJsonHere:
        return None


def objects(
    text: str, family: str, start: int, end: int, *, marked: bool = True, dialect: Dialect = JSON
) -> Iterator[FoundCall]:
    """Yield the calls in a run of JSON values with nothing but white space and commas between them."""
    at = 0
    count = 0
    while count < MAX_CALLS and (at := len(text) - len(text[at:].lstrip(" \t\r\n,;"))) < len(text):
        inner = lenient(text, at, dialect)
        if inner is None or inner.end <= at:
            if marked and count == 0:
                yield FoundCall("", None, family, start, end)
            return
        sure, whole = not inner.guessed, not inner.truncated
        yield from shaped(inner.value, family, start, end, sure=sure, whole=whole, marked=marked)
        at = inner.end
        count += 1


def shaped(
    value: Any, family: str, start: int, end: int, *, sure: bool, whole: bool, marked: bool = True
) -> Iterator[FoundCall]:
    """Yield the calls in a JSON value: an object with a name and arguments, or a list of such objects."""
    if isinstance(value, list):
        for each in value[:MAX_CALLS]:
            yield from shaped(each, family, start, end, sure=sure, whole=whole, marked=marked)
        return
    if not isinstance(value, dict):
        return
    inner = value.get("function")
    if isinstance(inner, dict):
        value = inner
    name = next((value[key] for key in _NAMES if isinstance(value.get(key), str)), None)
    arguments = next((value[key] for key in _ARGUMENTS if key in value), None)
    if name is not None and (arguments is not None or set(value) == {"name"} or marked):
        yield FoundCall(name, arguments, family, start, end, sure, whole, marked)
