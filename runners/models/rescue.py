"""Find the tool calls in what models really write, or a short message that asks the model to send one again.

A server without the right parser passes calls on as text, in the format of the model's family, and models
damage their own formats. Text that can be read in only one way becomes a call. If a part of a writing call
must be guessed, the model is asked to send the call again. A call that the model only quotes is not run.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from gherkin.values import Frozen
from runners.models.chat import Reply, ToolCall, ToolSchema
from runners.models.text_calls.formats import calls_in
from runners.models.text_calls.found import MAX_CALLS, FoundCall
from runners.models.text_calls.lenient import GEMMA, JSON, Lenient, NoJsonHere, read

_MAX_TEXT = 2_000_000
# Special tokens that a server has not removed from the text.
_TOKEN = re.compile(r"<\|[\w\"]{1,30}\|?>|<[\w\"]{1,30}\|>")
_RECIPIENT = re.compile(r"\bto=([\w.:/-]{1,100})")


class Rescued(Frozen):
    """The result for one reply: `calls` to run, or a `correction` for the model, or neither if it is prose.

    `family` names the format of calls that were found in text or repaired; it is empty for other replies.
    `text` is the reply's text without its calls.
    """

    calls: tuple[ToolCall, ...] = ()
    correction: str = ""
    family: str = ""
    text: str = ""


def rescue(reply: Reply, tools: Sequence[ToolSchema], writing: frozenset[str], turn: int) -> Rescued:
    """Find the calls of `reply` to `tools`.

    `writing` are the names of the tools that change something. `turn` makes the ids of found calls unique.
    """
    known = {tool.name: tool for tool in tools}
    if reply.tool_calls:
        return _native(reply, known, writing)
    text = reply.text[:_MAX_TEXT]
    found = list(calls_in(text, lambda name: _canonical(name, known) is not None))[:MAX_CALLS]
    if not found:
        return Rescued(text=reply.text)
    calls: list[ToolCall] = []
    for number, each in enumerate(found, 1):
        name = _canonical(each.name, known)
        if name is None:
            if not each.marked:
                return Rescued(text=reply.text)
            return Rescued(
                correction=f"There is no tool `{each.name[:80]}`. The tools are: {', '.join(known)}."
            )
        given = _of_text(each.arguments, known[name]) if each.textual else each.arguments
        fixed = _arguments(given, known[name])
        doubt = _doubt(each, fixed is not None, fixed, known[name], name in writing)
        if doubt or fixed is None:
            return Rescued(correction=_again(name, doubt or "its arguments are not a JSON object"))
        arguments = json.dumps(fixed[0], ensure_ascii=False)
        calls.append(ToolCall(id=f"rescued_{turn}_{number}", name=name, arguments=arguments))
    return Rescued(calls=tuple(calls), family=found[0].family, text=text[: found[0].start].strip())


def _native(reply: Reply, known: Mapping[str, ToolSchema], writing: frozenset[str]) -> Rescued:
    """Repair the names and arguments of native calls that can be read in only one way."""
    mended: list[ToolCall] = []
    for call in reply.tool_calls[:MAX_CALLS]:
        name = _canonical(call.name, known)
        if name is None:
            mended.append(call)  # the toolbox answers with the names of the tools
            continue
        try:
            strict = json.loads(call.arguments or "{}")
            sure = Lenient(call.arguments, len(call.arguments), strict)
        except (ValueError, RecursionError):
            try:
                sure = read(call.arguments, 0, GEMMA if GEMMA.quote in call.arguments else JSON)
            except NoJsonHere:
                sure = Lenient(call.arguments, 0, None, guessed=True)
        rest = _TOKEN.sub("", call.arguments[sure.end :]).strip()
        each = FoundCall(name, sure.value, "native", 0, 0, not sure.guessed and not rest, not sure.truncated)
        fixed = _arguments(sure.value, known[name])
        doubt = _doubt(each, fixed is not None, fixed, known[name], name in writing)
        if doubt or fixed is None:
            mended.append(call.model_copy(update={"name": name}))  # the toolbox says what is wrong
            continue
        arguments = json.dumps(fixed[0], ensure_ascii=False)
        same = fixed[0] == strict_or_none(call.arguments) and name == call.name
        mended.append(call if same else call.model_copy(update={"name": name, "arguments": arguments}))
    family = "native" if tuple(mended) != reply.tool_calls else ""
    return Rescued(calls=tuple(mended), family=family, text=reply.text)


def strict_or_none(text: str) -> Any:
    """Return the value of the JSON `text`, or None if it is not valid JSON."""
    try:
        return json.loads(text or "{}")
    except (ValueError, RecursionError):
        return None


def _doubt(
    each: FoundCall, usable: bool, fixed: tuple[dict[str, Any], bool] | None, tool: ToolSchema, writes: bool
) -> str:
    """Return in a clause why the model must send the call again; empty if it can be run."""
    required = set(tool.parameters.get("required", ()))
    if not usable or fixed is None:
        return "its arguments are not a JSON object"
    if not each.whole and (writes or not required <= set(fixed[0])):
        return "it was cut off"
    if writes and not (each.sure and fixed[1]):
        return "its arguments could be read in more than one way"
    return ""


def _again(name: str, why: str) -> str:
    return (
        f"Your call of `{name}` was not run: {why}. "
        "Send it again as one tool call with a JSON object of arguments."
    )


def _canonical(name: str, known: Mapping[str, ToolSchema]) -> str | None:
    """Return the tool that `name` means: case, prefix and separators are ignored."""
    if name in known:
        return name
    recipient = _RECIPIENT.search(name)
    meant = recipient[1] if recipient else _TOKEN.split(name)[0] or _TOKEN.sub("", name)
    bare = re.sub(r":\d+$", "", meant.strip().strip("`'\""))
    bare = re.split(r"[.:/]|__", bare)[-1] if bare not in known else bare
    plain = {_plain(each): each for each in known}
    return plain.get(_plain(bare)) or plain.get(_plain((bare.split() or [""])[0]))


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _of_text(arguments: dict[str, str], tool: ToolSchema) -> dict[str, Any]:
    """Convert the values of a format without types to the types of the tool's schema."""
    properties = tool.parameters.get("properties", {})
    by_name = {_plain(each): schema for each, schema in properties.items()}
    typed: dict[str, Any] = {}
    for key, text in arguments.items():
        schema = by_name.get(_plain(key), {})
        kinds = {each.get("type") for each in (schema, *schema.get("anyOf", ()))}
        typed[key] = text
        if "string" not in kinds or (text.strip() == "null" and "null" in kinds):
            value = strict_or_none(text.strip())
            typed[key] = text if value is None and text.strip() != "null" else value
    return typed


def _arguments(value: Any, tool: ToolSchema) -> tuple[dict[str, Any], bool] | None:
    """Return `value` as an object of arguments and whether that is certain; None if it cannot be one."""
    properties = tool.parameters.get("properties", {})
    sure = True
    for _ in range(3):  # models encode JSON as a JSON string up to three times
        if isinstance(value, str) and value.strip()[:1] in ("{", "["):
            try:
                inner = read(value)
            except NoJsonHere:
                return None
            sure = sure and not inner.guessed and not inner.truncated
            value = inner.value
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], dict):
        value = value[0]
    required = list(tool.parameters.get("required", ()))
    if value is None or value == "":
        value = {}
    if isinstance(value, str) and len(required) == 1:
        value, sure = {required[0]: value}, False
    elif isinstance(value, list) and value and len(value) == len(required):
        value, sure = dict(zip(required, value, strict=True)), False
    if not isinstance(value, dict):
        return None
    if set(value) == {"arguments"} and isinstance(value["arguments"], dict) and "arguments" not in properties:
        value = value["arguments"]
    plain = {_plain(each): each for each in properties}
    return {
        key if key in properties else plain.get(_plain(key), key): item for key, item in value.items()
    }, sure
