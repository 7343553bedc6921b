"""Read calls without any mark: ReAct's form, bare JSON, blocks of code, Python's syntax."""

import re
from collections.abc import Callable, Iterator
from typing import Any

from runners.models.text_calls.found import MAX_CALLS, FoundCall
from runners.models.text_calls.json_calls import lenient, objects, shaped
from runners.models.text_calls.lenient import NoJsonHere, read
from runners.models.text_calls.shown import fences_of, masked

_CALL_FENCES = ("json", "tool_call", "tool_calls", "tool", "tool_code", "")
_VISIBLE = re.compile(r"\S")
_REACT = re.compile(
    r"^Action:[ \t]*(?P<name>[^\n]{1,100})\n+"
    r"Action Input:[ \t]*(?P<input>.*?)(?=^Observation:|^Thought:|^Action:|\Z)",
    re.DOTALL | re.MULTILINE,
)


def react(text: str) -> Iterator[FoundCall]:
    """Yield `Action:` and `Action Input:`."""
    for block in _REACT.finditer(text):
        given = block["input"].strip()
        inner = lenient(given)
        if inner is not None and not given[inner.end :].strip():
            sure, whole = not inner.guessed, not inner.truncated
            yield FoundCall(block["name"], inner.value, "react", block.start(), block.end(), sure, whole)
        else:
            yield FoundCall(block["name"], given.strip("`\"' \n"), "react", block.start(), block.end(), False)


def bare(text: str, is_tool: Callable[[str], bool]) -> Iterator[FoundCall]:
    """Yield JSON without any mark: the last blocks of code, or the end of the text, on lines of its own."""
    visible = masked(text, fences=False)
    blocks = [each for each in fences_of(visible) if each[1] in _CALL_FENCES]
    if blocks and not visible[blocks[-1][3] :].strip():
        last = len(visible)
        for start, _, _, end in reversed(blocks):
            if visible[end:last].strip():
                break  # only the blocks that end the text, with nothing between them
            last = start
        for start, _, _, end in blocks:
            if start >= last:
                content = text[start:end].split("\n", 1)[-1].rstrip().rstrip("`~")
                yield from objects(content, "fenced", start, end, marked=False)
        return
    visible = masked(text, fences=True)
    if (python := pythonic(text, begins(visible, 0))) is not None:
        yield from (each for each in python if is_tool(each.name))
        return
    line = re.compile(r"^[ \t]*(?=[{\[])", re.MULTILINE).search(visible)
    if line is None:
        return
    start, end = line.end(), len(text.rstrip())
    inner = lenient(text, start)
    if inner is not None and not text[inner.end :].strip(" \n;,"):
        sure, whole = not inner.guessed, not inner.truncated
        yield from shaped(inner.value, "json", start, end, sure=sure, whole=whole, marked=False)
        return
    several = list(objects(text[start:], "json", start, end, marked=False))
    if len(several) > 1:
        yield from several


def begins(text: str, start: int) -> int:
    """Return where the first character from `start` on is that is no white space."""
    found = _VISIBLE.search(text, start)
    return found.start() if found else len(text)


_PYTHON_CALL = re.compile(r"\s*+(?:\[\s*+)?(?P<name>[A-Za-z_][\w.]{0,80})\(")
_KEYWORD = re.compile(r"\s*(?P<key>[A-Za-z_]\w{0,60})\s*=\s*")
_COMMA = re.compile(r"\s*,")
_CALL_END = re.compile(r"\s*\)\s*,?")
_LIST_END = re.compile(r"\s*+(?:\]\s*+)?(?:<\|eom_id\|>|<\|eot_id\|>)?\s*\Z")


def pythonic(text: str, at: int) -> list[FoundCall] | None:
    """Return `[name(key="value"), …]` to the end of the text (Llama 4, Gemma 3); None if there is
    something else.
    """
    found: list[FoundCall] = []
    start = at
    while (opened := _PYTHON_CALL.match(text, at)) is not None and len(found) < MAX_CALLS:
        at = opened.end()
        arguments: dict[str, Any] = {}
        while (keyword := _KEYWORD.match(text, at)) is not None:
            try:
                inner = read(text, keyword.end())
            except NoJsonHere:
                return None
            if inner.truncated:
                return None
            arguments[keyword["key"]] = inner.value
            at = inner.end
            comma = _COMMA.match(text, at)
            at = comma.end() if comma else at
        closed = _CALL_END.match(text, at)
        if closed is None:
            return None
        at = closed.end()
        found.append(FoundCall(opened["name"], arguments, "pythonic", start, at, True, True, False))
    return found if found and _LIST_END.match(text, at) else None
