"""The formats in which families of models write tool calls as text."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from runners.models.lenient import Lenient, NotJson, read
from runners.models.shown import fences_of, is_shown, masked

MAX_CALLS = 32
_CALL_FENCES = ("json", "tool_call", "tool_calls", "tool", "tool_code", "")


@dataclass(frozen=True)
class FoundCall:
    """A call in a text: `arguments` is an object, or whatever stood in its place."""

    name: str
    arguments: Any
    family: str
    start: int
    end: int
    sure: bool = True
    whole: bool = True
    marked: bool = True


def calls_in(text: str, is_tool: Callable[[str], bool]) -> Iterator[FoundCall]:
    """The calls of a text in the format of one family: the first that has any."""
    visible = masked(text, fences=True)
    for family, marks in _FAMILIES:
        if not any(mark in visible for mark in marks):
            continue
        found = [each for each in family(visible) if not is_shown(visible, each.start)]
        if found:
            yield from found
            return
    found = [
        each for each in _bare(text, masked(text, fences=False), is_tool) if not is_shown(text, each.start)
    ]
    yield from found


_TOOL_CALL = re.compile(
    r"^[ \t]*<tool_call>(?P<body>.*?)(?P<close></tool_call>|(?=<tool_call>)|\Z)", re.DOTALL | re.MULTILINE
)
_XML_NAME = re.compile(r"\s*<name>\s*(?P<name>[^<]{1,100}?)\s*</name>(?P<rest>.*)\Z", re.DOTALL)
_XML_KEY = re.compile(r"<(?P<key>[A-Za-z_][\w-]{0,60})>")
_GLM_NAME = re.compile(r"\s*(?P<name>[\w.:-]{1,100})\s*(?=<arg_key>|\Z)")
_GLM_KEY = re.compile(r"<arg_key>\s*(?P<key>[^<]{1,100}?)\s*</arg_key>\s*<arg_value>")
_MAX_ARGUMENTS = 64


def _pairs(body: str, opening: "re.Pattern[str]", closing: str) -> tuple[dict[str, str], bool]:
    """The keys of `opening` with the text up to `closing` (in which ``{}`` is the key), and whether all were closed."""
    found: dict[str, str] = {}
    at, missed = 0, 0
    while missed < _MAX_ARGUMENTS > len(found) and (opened := opening.search(body, at)) is not None:
        close = closing.format(opened["key"])
        end = body.find(close, opened.end())
        if end < 0:
            missed, at = missed + 1, opened.end()
            continue
        found[opened["key"].strip()] = body[opened.end() : end]
        at = end + len(close)
    return found, not missed


def _hermes(text: str) -> Iterator[FoundCall]:
    """`<tool_call>` with JSON (Hermes, Qwen), with XML (our own protocol), or with keys and values (GLM)."""
    for block in _TOOL_CALL.finditer(text):
        body, start, end = block["body"], block.start(), block.end()
        closed = bool(block["close"]) or end < len(text)
        if "<function=" in body:
            yield from (replace(each, start=start, end=end) for each in _functions(body))
        elif (xml := _XML_NAME.match(body)) is not None:
            pairs, all_closed = _pairs(_inside(xml["rest"]), _XML_KEY, "</{}>")
            whole = (closed or "</arguments>" in body) and all_closed
            yield FoundCall(xml["name"], _typed(pairs), "xml", start, end, True, whole)
        elif (glm := _GLM_NAME.match(body)) is not None and "{" not in body[: glm.end()]:
            pairs, all_closed = _pairs(body, _GLM_KEY, "</arg_value>")
            yield FoundCall(glm["name"], _typed(pairs), "glm", start, end, True, closed and all_closed)
        else:
            yield from _objects(body, "hermes", start, end)


def _inside(rest: str) -> str:
    opened = re.search(r"<arguments>(.*?)(?:</arguments>|\Z)", rest, re.DOTALL)
    return opened[1] if opened else rest


def _typed(arguments: Mapping[str, str]) -> dict[str, Any]:
    """Values of a format that knows only text: numbers and the like are what JSON makes of them."""
    typed: dict[str, Any] = {}
    for key, value in arguments.items():
        text = value[1:] if value.startswith("\n") else value
        text = text[:-1] if text.endswith("\n") else text
        simple = re.fullmatch(r"\s*(-?\d{1,15}|true|false|null)\s*", text)
        typed[key] = json.loads(simple[1]) if simple else text
    return typed


_FUNCTION = re.compile(
    r"^[ \t]*<function=(?P<name>[^>\n]{1,100})>(?P<body>.*?)(?P<close></function>|(?=^[ \t]*<function=)|\Z)",
    re.DOTALL | re.MULTILINE,
)
_PARAMETER = re.compile(r"<parameter=(?P<key>[^>\n]{1,100})>")


def _functions(text: str) -> Iterator[FoundCall]:
    """`<function=…><parameter=…>` (Qwen3-Coder), or JSON inside (Llama 3.1's own)."""
    for block in _FUNCTION.finditer(text):
        body = block["body"]
        if body.lstrip()[:1] == "{":
            inner = _lenient(body)
            if inner is not None:
                sure, whole = not inner.guessed, not inner.truncated
                yield FoundCall(block["name"], inner.value, "llama", block.start(), block.end(), sure, whole)
            continue
        # A closing tag that is missing stands before the next parameter, if there is one.
        body = re.sub(r"(?<!</parameter>)\n(?=<parameter=)", "\n</parameter>", body)
        body = body.removeprefix("\n</parameter>")
        pairs, closed = _pairs(body, _PARAMETER, "</parameter>")
        name = block["name"].strip()
        yield FoundCall(name, _typed(pairs), "qwen3-coder", block.start(), block.end(), True, closed)


_INVOKE = re.compile(
    r"^[ \t]*<(?:\w{1,20}:)?invoke name=\"(?P<name>[^\"\n]{1,100})\">(?P<body>.*?)(?P<close></(?:\w{1,20}:)?invoke>|\Z)",
    re.DOTALL | re.MULTILINE,
)
_NAMED = re.compile(r"<(?:\w{1,20}:)?parameter name=\"(?P<key>[^\"\n]{1,100})\"[^>\n]{0,100}>")


def _invokes(text: str) -> Iterator[FoundCall]:
    """`<invoke name="…"><parameter name="…">` (MiniMax, DeepSeek V3.2, Claude's old format)."""
    for block in _INVOKE.finditer(text):
        body = re.sub(r"</\w{1,20}:parameter>", "</parameter>", block["body"])
        pairs, closed = _pairs(body, _NAMED, "</parameter>")
        whole = closed and bool(block["close"])
        yield FoundCall(block["name"], _typed(pairs), "invoke", block.start(), block.end(), True, whole)


_SPECIAL = re.compile(
    r"(?P<mistral>\[TOOL_CALLS\]\s*(?P<m>[\w.-]{0,100})(?:\[CALL_ID\]\w{0,40})?(?:\[ARGS\])?)"
    r"|(?P<llama><\|python_tag\|>)"
    r"|(?P<deepseek><｜tool▁call▁begin｜>(?:function<｜tool▁sep｜>)?(?P<d>[^\n<{]{1,100})(?:<｜tool▁sep｜>)?\s*(?:```json)?)"
    r"|(?P<kimi><\|tool_call_begin\|>\s*(?P<k>[\w.:-]{1,100})\s*<\|tool_call_argument_begin\|>)"
    r"|(?P<harmony>(?:<\|channel\|>\s*commentary\s*|<\|start\|>assistant\s*)to=(?P<h>[\w.-]{1,100})[^{\n]{0,80}?<\|message\|>)"
    r"|(?P<granite><\|tool_call\|>|<tool_call\|>)"
)


def _special(text: str) -> Iterator[FoundCall]:
    """Formats that begin with a special token: Mistral, Llama, DeepSeek, Kimi, gpt-oss, Granite and Phi."""
    at = 0
    for _ in range(MAX_CALLS):
        if (mark := _SPECIAL.search(text, at)) is None:
            return
        family = str(
            mark.lastgroup
            if mark.lastgroup and len(mark.lastgroup) > 1
            else next(k for k, v in mark.groupdict().items() if v is not None and len(k) > 1)
        )
        name = next((mark[key] for key in ("m", "d", "k", "h") if mark[key]), "")
        at = mark.end()
        if family == "llama" and (python := _pythonic(text, at)) is not None:
            yield from python
            return
        inner = _lenient(text, at)
        if inner is None:
            if name and family != "mistral":
                yield FoundCall(name, None, family, mark.start(), at)
            continue
        at = max(inner.end, at)
        sure, whole = not inner.guessed, not inner.truncated
        if name:
            yield FoundCall(name.strip(), inner.value, family, mark.start(), at, sure, whole)
        else:
            yield from _shaped(inner.value, family, mark.start(), at, sure=sure, whole=whole)


_REACT = re.compile(
    r"^Action:[ \t]*(?P<name>[^\n]{1,100})\n+Action Input:[ \t]*(?P<input>.*?)(?=^Observation:|^Thought:|^Action:|\Z)",
    re.DOTALL | re.MULTILINE,
)


def _react(text: str) -> Iterator[FoundCall]:
    """`Action:` and `Action Input:`; of several only the first, because the rest imagines its result."""
    for block in _REACT.finditer(text):
        given = block["input"].strip()
        inner = _lenient(given)
        if inner is not None and not given[inner.end :].strip():
            sure, whole = not inner.guessed, not inner.truncated
            yield FoundCall(block["name"], inner.value, "react", block.start(), block.end(), sure, whole)
        else:
            yield FoundCall(block["name"], given.strip("`\"' \n"), "react", block.start(), block.end(), False)
        return


def _bare(text: str, visible: str, is_tool: Callable[[str], bool]) -> Iterator[FoundCall]:
    """JSON without any mark: the last block of code, or the last thing of the text, on lines of its own."""
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
                yield from _objects(content, "fenced", start, end, marked=False)
        return
    if "```" in visible or "~~~" in visible:
        return
    stripped = visible.rstrip()
    if (python := _pythonic(visible, 0)) is not None:
        yield from (each for each in python if is_tool(each.name))
        return
    for line in re.finditer(r"^[ \t]*(?=[{\[])", visible, re.MULTILINE):
        inner = _lenient(visible, line.end())
        if inner is not None and not visible[inner.end :].strip(" \n;,"):
            sure, whole = not inner.guessed, not inner.truncated
            yield from _shaped(
                inner.value, "json", line.end(), len(stripped), sure=sure, whole=whole, marked=False
            )
            return
        several = list(_objects(visible[line.end() :], "json", line.end(), len(stripped), marked=False))
        if len(several) > 1:
            yield from several
        return  # only the first line that could begin one: no second look at the same text


def _objects(text: str, family: str, start: int, end: int, *, marked: bool = True) -> Iterator[FoundCall]:
    """The calls in a run of JSON values with nothing but white space and commas between them."""
    at = 0
    count = 0
    while count < MAX_CALLS and (at := len(text) - len(text[at:].lstrip(" \t\r\n,;"))) < len(text):
        inner = _lenient(text, at)
        if inner is None or inner.end <= at:
            if marked and count == 0:
                yield FoundCall("", None, family, start, end)
            return
        sure, whole = not inner.guessed, not inner.truncated
        yield from _shaped(inner.value, family, start, end, sure=sure, whole=whole, marked=marked)
        at = inner.end
        count += 1


def _shaped(
    value: Any, family: str, start: int, end: int, *, sure: bool, whole: bool, marked: bool = True
) -> Iterator[FoundCall]:
    """The calls in a JSON value: an object with a name and arguments by one of their usual names, or a list of such."""
    if isinstance(value, list):
        for each in value[:MAX_CALLS]:
            yield from _shaped(each, family, start, end, sure=sure, whole=whole, marked=marked)
        return
    if not isinstance(value, dict):
        return
    inner = value.get("function")
    if isinstance(inner, dict):
        value = inner
    name = next(
        (
            value[key]
            for key in ("name", "tool", "tool_name", "function", "action")
            if isinstance(value.get(key), str)
        ),
        None,
    )
    arguments = next(
        (
            value[key]
            for key in ("arguments", "parameters", "args", "input", "action_input", "tool_input", "params")
            if key in value
        ),
        None,
    )
    if name is not None and (arguments is not None or set(value) == {"name"} or marked):
        yield FoundCall(name, arguments, family, start, end, sure, whole, marked)


_PYTHON_CALL = re.compile(r"\s*+(?:\[\s*+)?(?P<name>[A-Za-z_][\w.]{0,80})\(")
_KEYWORD = re.compile(r"\s*(?P<key>[A-Za-z_]\w{0,60})\s*=\s*")


def _pythonic(text: str, at: int) -> list[FoundCall] | None:
    """`[name(key="value"), …]` to the end of the text (Llama 4, Gemma); None if that is not what is there."""
    found: list[FoundCall] = []
    start = at
    while (opened := _PYTHON_CALL.match(text, at)) is not None and len(found) < MAX_CALLS:
        at = opened.end()
        arguments: dict[str, Any] = {}
        while (keyword := _KEYWORD.match(text, at)) is not None:
            try:
                inner = read(text, keyword.end())
            except NotJson:
                return None
            if inner.truncated:
                return None
            arguments[keyword["key"]] = inner.value
            at = inner.end
            comma = re.compile(r"\s*,").match(text, at)
            at = comma.end() if comma else at
        closed = re.compile(r"\s*\)\s*,?").match(text, at)
        if closed is None:
            return None
        at = closed.end()
        found.append(FoundCall(opened["name"], arguments, "pythonic", start, at, True, True, False))
    rest = re.compile(r"\s*+(?:\]\s*+)?(?:<\|eom_id\|>|<\|eot_id\|>)?\s*\Z").match(text, at)
    return found if found and rest else None


def _lenient(text: str, at: int = 0) -> Lenient | None:
    """A JSON object or list at `at`, or a string in its place; None if there is none."""
    stripped = re.compile(r"\s*").match(text, at)
    place = stripped.end() if stripped else at
    if text[place : place + 1] not in ("{", "[", '"', "'"):
        return None
    try:
        return read(text, place)
    except NotJson:
        return None


# Each family with what its calls cannot do without.
_FAMILIES: tuple[tuple[Callable[[str], Iterator[FoundCall]], tuple[str, ...]], ...] = (
    (_hermes, ("<tool_call>",)),
    (_functions, ("<function=",)),
    (_invokes, ("invoke name=",)),
    (_special, ("[TOOL_CALLS]", "<|", "<｜", "<tool_call|>")),
    (_react, ("Action:",)),
)
