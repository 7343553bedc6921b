"""The formats in which families of models write tool calls as text."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import groupby, islice
from typing import Any

from runners.models.lenient import Lenient, NotJson, read
from runners.models.shown import fences_of, is_shown, masked

MAX_CALLS = 32
_CALL_FENCES = ("json", "tool_call", "tool_calls", "tool", "tool_code", "")


@dataclass(frozen=True)
class FoundCall:
    """A call in a text: `arguments` is an object, or whatever stood in its place.

    `sure` is whether it can be read in one way only, `whole` whether it was not cut off, `marked` whether its format says
    that it is a call, and `textual` whether the format has no other values than text.
    """

    name: str
    arguments: Any
    family: str
    start: int
    end: int
    sure: bool = True
    whole: bool = True
    marked: bool = True
    textual: bool = False


Family = Callable[[str], Iterator[FoundCall]]


def calls_in(text: str, is_tool: Callable[[str], bool]) -> Iterator[FoundCall]:
    """The calls of a text in the format of one family: the first that has any. What is only shown is none."""
    for family, marks in _FAMILIES:
        found = list(_said(text, family, marks))
        if found:
            yield from found
            return
    yield from (each for each in _bare(text, is_tool) if not is_shown(text, each.start))


def _said(text: str, family: Family, marks: tuple[str, ...]) -> Iterator[FoundCall]:
    """The calls that are not thought, quoted or shown.

    What is code in a text is seen anew behind each call, whose arguments may hold anything.
    """
    offset = 0
    for _ in range(MAX_CALLS):
        rest = text[offset:]
        if not any(mark in rest for mark in marks):
            return
        visible = masked(rest, fences=True)
        for start, block in groupby(family(rest), lambda each: each.start):
            if _begins(visible, start) == _begins(rest, start) and not is_shown(visible, start):
                calls = list(block)
                break
        else:
            return
        yield from (replace(each, start=each.start + offset) for each in calls)
        if family is _react:
            return  # the rest imagines the result of the first
        offset += max(calls[0].end, 1)


def _begins(text: str, start: int) -> int:
    """Where the first character is that is no white space."""
    found = re.compile(r"\S").search(text, start)
    return found.start() if found else len(text)


_OPENED = re.compile(r"^[ \t]*<tool_call>", re.MULTILINE)
_CLOSED = re.compile(r"</tool_call>|(?=<tool_call>)|\Z")
_XML_NAME = re.compile(r"\s*<name>\s*(?P<name>[^<]{1,100}?)\s*</name>(?P<rest>.*)\Z", re.DOTALL)
_XML_KEY = re.compile(r"<(?P<key>[A-Za-z_][\w-]{0,60})>")
_GLM_NAME = re.compile(r"\s*(?P<name>[\w.:-]{1,100})\s*(?=<arg_key>|\Z)")
_GLM_KEY = re.compile(r"<arg_key>\s*(?P<key>[^<]{1,100}?)\s*</arg_key>\s*<arg_value>")
_MAX_ARGUMENTS = 64
_CDATA = re.compile(r"\s*<!\[CDATA\[")


def _pairs(body: str, opening: "re.Pattern[str]", closing: str) -> tuple[dict[str, str], bool, bool]:
    """The keys of `opening` with the text up to `closing` (in which ``{}`` is the key).

    And whether nothing else stood between them, as it does behind a value that holds its own closing tag; and whether all
    were closed. A value may stand in a CDATA section.
    """
    found: dict[str, str] = {}
    at, missed, clear = 0, 0, True
    while missed < _MAX_ARGUMENTS > len(found) and (opened := opening.search(body, at)) is not None:
        clear = clear and not body[at : opened.start()].strip()
        close = closing.format(opened["key"])
        start = opened.end()
        section = _CDATA.match(body, start)
        if section is not None:
            end = body.find("]]>", section.end())
            value, after = body[section.end() : end], body.find(close, end)
        else:
            end = after = body.find(close, start)
            value = body[start:end]
        if end < 0 or after < 0:
            missed, at = missed + 1, start
            continue
        found[opened["key"].strip()] = value
        at = after + len(close)
    return found, clear and not body[at:].strip(), not missed


def _hermes(text: str) -> Iterator[FoundCall]:
    """`<tool_call>` with JSON (Hermes, Qwen), with XML (our own protocol), or with keys and values (GLM)."""
    for start, body, end, marked in islice(_blocks(text), MAX_CALLS):
        closed = marked or end < len(text)
        if "<function=" in body:
            yield from (replace(each, start=start, end=end) for each in _functions(body))
        elif (xml := _XML_NAME.match(body)) is not None:
            pairs, clear, all_closed = _pairs(_inside(xml["rest"]), _XML_KEY, "</{}>")
            whole = (closed or "</arguments>" in body) and all_closed
            yield FoundCall(xml["name"], _texts(pairs), "xml", start, end, clear, whole, textual=True)
        elif (glm := _GLM_NAME.match(body)) is not None and "{" not in body[: glm.end()]:
            pairs, clear, all_closed = _pairs(body[glm.end() :], _GLM_KEY, "</arg_value>")
            yield FoundCall(
                glm["name"], _texts(pairs), "glm", start, end, clear, closed and all_closed, textual=True
            )
        else:
            yield from _objects(body, "hermes", start, end)


def _blocks(text: str) -> Iterator[tuple[int, str, int, bool]]:
    """Where each `<tool_call>` begins, what is in it, where it ends, and whether it is closed; CDATA sections hide tags."""
    at, sections = 0, "]]>" in text
    while (opened := _OPENED.search(text, at)) is not None:
        close = _CLOSED.search(text, opened.end())
        while sections and close is not None:
            section = text.rfind("<![CDATA[", opened.end(), close.start())
            if section < 0 or text.find("]]>", section, close.start()) >= 0:
                break
            after = text.find("]]>", close.start())
            if after < 0:
                sections = False
            else:
                close = _CLOSED.search(text, after)
        if close is None:
            return
        at = close.end()
        yield opened.start(), text[opened.end() : close.start()], at, bool(close[0])


def _inside(rest: str) -> str:
    start = rest.find("<arguments>")
    end = rest.rfind("</arguments>")
    if start < 0:
        return rest
    return rest[start + len("<arguments>") : end if end >= 0 else len(rest)]


def _texts(arguments: Mapping[str, str]) -> dict[str, str]:
    """Values as the formats of tags mean them: without the line ends next to the tags."""
    return {key: value.removeprefix("\n").removesuffix("\n") for key, value in arguments.items()}


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
        body, mended = re.subn(r"(?<!</parameter>)\n(?=<parameter=)", "\n</parameter>", body)
        if body.startswith("\n</parameter>"):
            body, mended = body.removeprefix("\n</parameter>"), mended - 1
        pairs, clear, closed = _pairs(body, _PARAMETER, "</parameter>")
        clear = clear and not mended
        name = block["name"].strip()
        yield FoundCall(
            name, _texts(pairs), "qwen3-coder", block.start(), block.end(), clear, closed, textual=True
        )


_INVOKE = re.compile(
    r"^[ \t]*<(?:\w{1,20}:)?invoke name=\"(?P<name>[^\"\n]{1,100})\">(?P<body>.*?)(?P<close></(?:\w{1,20}:)?invoke>|\Z)",
    re.DOTALL | re.MULTILINE,
)
_NAMED = re.compile(r"<(?:\w{1,20}:)?parameter name=\"(?P<key>[^\"\n]{1,100})\"[^>\n]{0,100}>")


def _invokes(text: str) -> Iterator[FoundCall]:
    """`<invoke name="…"><parameter name="…">` (MiniMax, DeepSeek V3.2, Claude's old format)."""
    for block in _INVOKE.finditer(text):
        body = re.sub(r"</\w{1,20}:parameter>", "</parameter>", block["body"])
        pairs, clear, closed = _pairs(body, _NAMED, "</parameter>")
        whole = closed and bool(block["close"])
        yield FoundCall(
            block["name"], _texts(pairs), "invoke", block.start(), block.end(), clear, whole, textual=True
        )


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
    """`Action:` and `Action Input:`."""
    for block in _REACT.finditer(text):
        given = block["input"].strip()
        inner = _lenient(given)
        if inner is not None and not given[inner.end :].strip():
            sure, whole = not inner.guessed, not inner.truncated
            yield FoundCall(block["name"], inner.value, "react", block.start(), block.end(), sure, whole)
        else:
            yield FoundCall(block["name"], given.strip("`\"' \n"), "react", block.start(), block.end(), False)


def _bare(text: str, is_tool: Callable[[str], bool]) -> Iterator[FoundCall]:
    """JSON without any mark: the last blocks of code, or the last thing of the text, on lines of its own."""
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
                yield from _objects(content, "fenced", start, end, marked=False)
        return
    visible = masked(text, fences=True)
    if (python := _pythonic(text, _begins(visible, 0))) is not None:
        yield from (each for each in python if is_tool(each.name))
        return
    line = re.compile(r"^[ \t]*(?=[{\[])", re.MULTILINE).search(visible)
    if line is None:
        return
    start, end = line.end(), len(text.rstrip())
    inner = _lenient(text, start)
    if inner is not None and not text[inner.end :].strip(" \n;,"):
        sure, whole = not inner.guessed, not inner.truncated
        yield from _shaped(inner.value, "json", start, end, sure=sure, whole=whole, marked=False)
        return
    several = list(_objects(text[start:], "json", start, end, marked=False))
    if len(several) > 1:
        yield from several


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
_FAMILIES: tuple[tuple[Family, tuple[str, ...]], ...] = (
    (_hermes, ("<tool_call>",)),
    (_functions, ("<function=",)),
    (_invokes, ("invoke name=",)),
    (_special, ("[TOOL_CALLS]", "<|", "<｜", "<tool_call|>")),
    (_react, ("Action:",)),
)
