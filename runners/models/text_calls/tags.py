"""Calls between tags: Hermes and Qwen, GLM, Qwen3-Coder, our own XML, MiniMax, DeepSeek V3.2 and later.

Each reader takes a text and gives its calls in their order. Formats, as the models' chat templates have them:

* Hermes: ``<tool_call>{"name": …, "arguments": …}</tool_call>``
* GLM: ``<tool_call>NAME<arg_key>KEY</arg_key><arg_value>VALUE</arg_value></tool_call>``
* Qwen3-Coder: ``<function=NAME><parameter=KEY>VALUE</parameter></function>``
* MiniMax-M2, Claude's old format: ``<invoke name="NAME"><parameter name="KEY">VALUE</parameter></invoke>``
* DeepSeek V3.2 and later: the same, each tag with ``｜DSML｜`` in front of its name
* MiniMax-M3: ``<invoke name="NAME"><KEY>VALUE</KEY></invoke>``, each tag with ``]<]minimax[>[`` before it
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import islice
from typing import Any

from runners.models.text_calls.found import MAX_CALLS, FoundCall
from runners.models.text_calls.json_calls import lenient, objects

_MAX_ARGUMENTS = 64
_MAX_DEPTH = 20
_CDATA = re.compile(r"\s*<!\[CDATA\[")

# -- <tool_call> -----------------------------------------------------------------------------------------

# On a line of its own, behind a thought, or right behind a sentence.
_OPENED = re.compile(
    r"^[ \t]*<tool_call>"
    r"|(?<=</think>)\s*<tool_call>"
    r"|(?<=[.!?…])[ \t]*<tool_call>(?=\s*(?:\{|<function=|<name>))"
    r"|(?<=[^\s`\"'“«(])<tool_call>(?=[\w.:-]{1,100}\s*<arg_key>)"
    r"|(?<=[.!?:…])[ \t]*<tool_call>(?=[\w.:-]{1,100}\s*<arg_key>)",
    re.MULTILINE,
)
_CLOSED = re.compile(r"</tool_call>|(?=<tool_call>)|\Z")
_LINE_START = re.compile(r"(?:^|</think>)\s*\Z", re.MULTILINE)
_LINE_END = re.compile(r"[ \t]*(?:\n|<|\Z)")
_XML_NAME = re.compile(r"\s*<name>\s*(?P<name>[^<]{1,100}?)\s*</name>(?P<rest>.*)\Z", re.DOTALL)
_XML_KEY = re.compile(r"<(?P<key>[A-Za-z_][\w-]{0,60})>")
_GLM_NAME = re.compile(r"\s*(?P<name>[\w.:-]{1,100})\s*(?=<arg_key>|\Z)")
_GLM_KEY = re.compile(r"<arg_key>\s*(?P<key>[^<]{1,100}?)\s*</arg_key>\s*<arg_value>")


def tool_call_tags(text: str) -> Iterator[FoundCall]:
    """Yield `<tool_call>` with JSON (Hermes, Qwen), with XML (our own protocol), or with keys and values
    (GLM).
    """
    for start, body, end, marked in islice(_blocks(text), MAX_CALLS):
        closed = marked or end < len(text)
        if "<function=" in body:
            yield from (replace(each, start=start, end=end) for each in function_tags(body))
        elif (xml := _XML_NAME.match(body)) is not None:
            pairs, clear, all_closed = _pairs(_inside(xml["rest"]), _XML_KEY, "</{}>")
            whole = (closed or "</arguments>" in body) and all_closed
            yield FoundCall(xml["name"], _texts(pairs), "xml", start, end, clear, whole, textual=True)
        elif (glm := _GLM_NAME.match(body)) is not None and "{" not in body[: glm.end()]:
            pairs, clear, all_closed = _pairs(body[glm.end() :], _GLM_KEY, "</arg_value>")
            whole = closed and all_closed
            yield FoundCall(glm["name"], _texts(pairs), "glm", start, end, clear, whole, textual=True)
        else:
            yield from objects(body, "hermes", start, end)


def _blocks(text: str) -> Iterator[tuple[int, str, int, bool]]:
    """Yield each `<tool_call>`: where it begins, what is in it, where it ends, and whether it is closed.

    A CDATA section hides tags. A block in the middle of a line counts only if no prose follows it there.
    """
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
        if _in_a_line(text, opened.start()) and _LINE_END.match(text, at) is None:
            continue
        yield opened.start(), text[opened.end() : close.start()], at, bool(close[0])


def _in_a_line(text: str, start: int) -> bool:
    return _LINE_START.search(text[max(0, start - 200) : start]) is None


def _inside(rest: str) -> str:
    start = rest.find("<arguments>")
    end = rest.rfind("</arguments>")
    if start < 0:
        return rest
    return rest[start + len("<arguments>") : end if end >= 0 else len(rest)]


# -- <function=…> ----------------------------------------------------------------------------------------

_FUNCTION = re.compile(
    r"(?:^|(?<=</think>))[ \t]*<function=(?P<name>[^>\n]{1,100})>(?P<body>.*?)"
    r"(?P<close></function>|(?=^[ \t]*<function=)|\Z)",
    re.DOTALL | re.MULTILINE,
)
_PARAMETER = re.compile(r"<parameter=(?P<key>[^>\n]{1,100})>")


def function_tags(text: str) -> Iterator[FoundCall]:
    """Yield `<function=…><parameter=…>` (Qwen3-Coder), or JSON inside (Llama 3.1's own)."""
    for block in _FUNCTION.finditer(text):
        body = block["body"]
        if body.lstrip()[:1] == "{":
            inner = lenient(body)
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


# -- <invoke name="…"> -----------------------------------------------------------------------------------

_M3 = "]<]minimax[>["
_DSML = r"[｜|]{1,2}DSML[｜|]{1,2} ?"
_M3_TOKEN = re.escape(_M3)
_AROUND = rf"(?:{_DSML}|\w{{1,20}}:)?(?:function_calls|tool_calls?|calls)>"
_INVOKE = re.compile(
    # Where DSML or MiniMax-M3 mark the tag with a token of their own, it may stand anywhere.
    rf"(?:^[ \t]*|(?<=</think>)\s*|(?=<{_DSML})|(?={_M3_TOKEN}))(?:(?:{_M3_TOKEN})?<{_AROUND}\s*)?"
    rf"(?P<m3>{_M3_TOKEN})?<(?:(?P<dsml>{_DSML})|\w{{1,20}}:)?invoke name=\"(?P<name>[^\"\n]{{1,100}})\"\s?>"
    rf"(?P<body>.*?)"
    rf"(?:(?P<close>(?(m3){_M3_TOKEN})</(?(dsml){_DSML}|(?:\w{{1,20}}:)?)invoke>)"
    rf"(?:\s*(?:{_M3_TOKEN})?</{_AROUND})?|\Z)",
    re.DOTALL | re.MULTILINE,
)
_NAMED = re.compile(r"<(?:\w{1,20}:)?parameter name=\"(?P<key>[^\"\n]{1,100})\"[^>\n]{0,100}>")
_DSML_NAMED = re.compile(rf"<{_DSML}parameter name=\"(?P<key>[^\"\n]{{1,100}})\"[^>\n]{{0,100}}>")
_M3_KEY = re.compile(rf"{_M3_TOKEN}<(?P<key>[A-Za-z_][\w.-]{{0,60}})>")


def invoke_tags(text: str) -> Iterator[FoundCall]:
    """Yield `<invoke name="…">` with named parameters (MiniMax-M2, DeepSeek, Claude), or with tags
    (MiniMax-M3).
    """
    for block in _INVOKE.finditer(text):
        body, family = block["body"], "invoke"
        start, end, closed = block.start(), block.end(), bool(block["close"])
        if body.lstrip()[:1] == "{":  # DeepSeek writes its arguments as JSON at times
            inner = lenient(body)
            if inner is not None:
                sure = not inner.guessed and not body[inner.end :].strip()
                yield FoundCall(block["name"], inner.value, family, start, end, sure, not inner.truncated)
                continue
        if block["m3"]:
            family = "minimax-m3"
            pairs, clear, all_closed = _pairs(body, _M3_KEY, _M3 + "</{}>")
            pairs = {key: _element(value) for key, value in pairs.items()}
        elif block["dsml"]:
            family = "dsml"
            pairs, clear, all_closed = _pairs(body, _DSML_NAMED, f"</{block['dsml']}parameter>")
        else:
            body = re.sub(r"</\w{1,20}:parameter>", "</parameter>", body)
            pairs, clear, all_closed = _pairs(body, _NAMED, "</parameter>")
        whole = closed and all_closed
        yield FoundCall(block["name"], _texts(pairs), family, start, end, clear, whole, textual=True)


def _element(text: str) -> str:
    """Return a value of MiniMax-M3: text as it is, or JSON where there are elements inside."""
    return json.dumps(_nested(text, 0), ensure_ascii=False) if _M3 in text else text


def _nested(text: str, depth: int) -> Any:
    """Elements inside of an element: a list if they are called ``item``, else an object."""
    found = []
    for key, value in _every_pair(text):
        inside = _nested(value, depth + 1) if _M3 in value and depth < _MAX_DEPTH else _word(value)
        found.append((key, inside))
    if found and all(key == "item" for key, _ in found):
        return [value for _, value in found]
    return dict(found)


def _every_pair(text: str) -> Iterator[tuple[str, str]]:
    at = 0
    while (opened := _M3_KEY.search(text, at)) is not None:
        close = f"{_M3}</{opened['key']}>"
        end = text.find(close, opened.end())
        if end < 0:
            return
        yield opened["key"], text[opened.end() : end]
        at = end + len(close)


def _word(text: str) -> Any:
    """Return a number, a truth value or null as what it is, anything else as text."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return text if isinstance(value, str | list | dict) else value


# -- keys and values -------------------------------------------------------------------------------------


def _pairs(body: str, opening: "re.Pattern[str]", closing: str) -> tuple[dict[str, str], bool, bool]:
    """Return the keys of `opening` with the text up to `closing` (in which ``{}`` is the key).

    Also whether nothing else stood between them, as it does behind a value that holds its own closing tag,
    and whether all were closed. A value may stand in a CDATA section.
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


def _texts(arguments: Mapping[str, str]) -> dict[str, str]:
    """Values as the formats of tags mean them: without the line ends next to the tags."""
    return {key: value.removeprefix("\n").removesuffix("\n") for key, value in arguments.items()}
