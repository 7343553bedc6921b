"""Ask a deployed model what it can do, because tables of models by name are often wrong."""

import hashlib
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from gherkin.values import Frozen
from runners.models.chat import ChatModel, Message, ModelRefusedRequest, Reply, ToolSchema
from runners.models.rescue import rescue
from runners.models.xml import XmlTools

PROBE = "look_up"
_WORD = "marigold"
_TOOL = ToolSchema(
    name=PROBE,
    description="Looks a word up in the dictionary.",
    parameters={
        "type": "object",
        "properties": {"word": {"type": "string", "description": "The word."}},
        "required": ["word"],
        "additionalProperties": False,
    },
)
_SCHEMA = {
    "type": "object",
    "properties": {"word": {"type": "string"}, "letters": {"type": "integer"}},
    "required": ["word", "letters"],
    "additionalProperties": False,
}
_ASK = f"Call the tool `{PROBE}` with the word {_WORD}. Write nothing else."
_ASK_TWO = f"Call the tool `{PROBE}` twice in this one reply: with the word {_WORD}, and with the word tulip."
_ASK_SCHEMA = f"Answer as JSON: the word {_WORD} and how many letters it has."
_MAX_TOKENS = 1024


class Profile(Frozen):
    """What a probe found.

    `tools` is the protocol to use, `found` the reason in words, and `called` whether the model sent a call at
    all. `parallel` is whether two calls came in one reply, `schema` whether an answer followed a JSON schema,
    and `leaks` whether thoughts came as text. `context_length` is what the server reports, in tokens (0: it
    reports none).
    """

    deployment: str
    tools: Literal["native", "xml"]
    found: str
    called: bool
    parallel: bool
    schema_output: bool
    leaks: bool
    context_length: int
    seconds: float


def probe(model: ChatModel, deployment: str, context_length: int) -> Profile:
    """Ask `model` for a call by each protocol until one comes, two calls at once, and JSON by a
    schema.

    `deployment` names what is asked, and `context_length` is in tokens (0: unknown). Raises
    `ModelUnavailable`.
    """
    started = time.monotonic()
    native = _call(model, _ASK)
    protocol, found, asked, called = "native", "a native call came", model, True
    leaks = "<think" in native.text if native else False
    if native is None or not _is_right(native.tool_calls):
        spelled: ChatModel = XmlTools(model)
        text = _call(spelled, _ASK)
        leaks = leaks or (text is not None and "<think" in text.text)
        if text is not None and _is_right(_rescued(text)):
            protocol, found, asked = "xml", "no native call came, but one in XML", spelled
        elif native is not None and _is_right(_rescued(native)):
            found = "a call came as text, which is read"
        elif native is None:
            protocol, found, asked, called = "xml", "the server refuses tools", spelled, False
        else:
            found, called = "no call came by either protocol", False
    two = _call(asked, _ASK_TWO)
    return Profile.model_validate(
        {
            "deployment": deployment,
            "tools": protocol,
            "found": found,
            "called": called,
            "parallel": two is not None and len(_rescued(two)) > 1,
            "schema_output": _keeps_schema(model),
            "leaks": leaks,
            "context_length": context_length,
            "seconds": round(time.monotonic() - started, 2),
        }
    )


def remembered(folder: Path, deployment: str, ask: Callable[[], Profile]) -> Profile:
    """Return the profile of `deployment` that is stored below `folder`; if there is none, store `ask()`'s."""
    path = folder / f"{hashlib.sha256(deployment.encode()).hexdigest()[:32]}.json"
    try:
        return Profile.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        found = ask()
    folder.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(f".{time.monotonic_ns()}")
    fresh.write_text(found.model_dump_json(), encoding="utf-8")
    fresh.replace(path)
    return found


def _call(model: ChatModel, ask: str) -> Reply | None:
    """Return the model's reply to `ask` with the probe's tool; None if the server refuses the request."""
    try:
        return model.reply([Message(role="user", text=ask)], [_TOOL], max_tokens=_MAX_TOKENS)
    except ModelRefusedRequest:
        return None


def _rescued(reply: Reply) -> tuple[Any, ...]:
    return rescue(reply, [_TOOL], frozenset(), 0).calls


def _is_right(calls: tuple[Any, ...]) -> bool:
    if not calls or calls[0].name != PROBE:
        return False
    try:
        given = json.loads(calls[0].arguments)
    except ValueError:
        return False
    return isinstance(given, dict) and given.get("word") == _WORD


def _keeps_schema(model: ChatModel) -> bool:
    try:
        reply = model.reply([Message(role="user", text=_ASK_SCHEMA)], schema=_SCHEMA, max_tokens=_MAX_TOKENS)
        answer = json.loads(reply.text)
    except (ModelRefusedRequest, ValueError):
        return False
    return (
        isinstance(answer, dict)
        and isinstance(answer.get("word"), str)
        and type(answer.get("letters")) is int
    )
