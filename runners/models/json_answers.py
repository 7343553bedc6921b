"""JSON answers of models: the form that a prompt shows, and how an answer is read.

A server may be told to hold an answer to a schema and not do it, so neither side relies on that.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from runners.models.chat import Reply

_THOUGHT = re.compile(r"^\s*(?:<think(?:ing)?>)?.*?</think(?:ing)?>", re.S)
_FENCED = re.compile(r"```[\w-]*[ \t]*\n(.*?)```", re.S)
_MOST_STARTS = 50


class NotJson(ValueError):
    """The answer contains no JSON object; the message tells the model what is wrong."""


def read_json(reply: Reply) -> dict[str, Any]:
    """Return the JSON object that a reply holds: bare, in a fence, or behind other words. Raises `NotJson`.

    Line ends inside of strings are read, though JSON forbids them: constrained decoding lets them through.
    """
    text = _THOUGHT.sub("", reply.text)
    wrong = ""
    for part in _parts(text):
        try:
            found = json.loads(part, strict=False)
        except (ValueError, RecursionError) as error:
            wrong = wrong or str(error)
            continue
        if isinstance(found, dict):
            return found
        wrong = wrong or f"It is a {_kind(found)}, not an object"
    found = _embedded(text)
    if found is not None:
        return found
    if reply.stop == "length":
        raise NotJson("The answer was cut off by the length limit. Write a shorter one.")
    if not text.strip():
        raise NotJson("The answer is empty.")
    raise NotJson(f"The answer is not one JSON object: {wrong.rstrip('.')}.")


def _parts(text: str) -> Iterator[str]:
    yield text.strip()
    yield from (found.strip() for found in _FENCED.findall(text))


def _embedded(text: str) -> dict[str, Any] | None:
    """Return the largest object that begins somewhere in the text."""
    decoder = json.JSONDecoder(strict=False)
    best: tuple[int, dict[str, Any]] | None = None
    at, starts = text.find("{"), 0
    while at >= 0 and starts < _MOST_STARTS:
        try:
            found, end = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            end = at + 1
        else:
            if isinstance(found, dict) and (best is None or end - at > best[0]):
                best = end - at, found
        at, starts = text.find("{", end), starts + 1
    return best[1] if best else None


def _kind(value: object) -> str:
    return {list: "list", str: "string", bool: "boolean"}.get(type(value), "number")


def form_of(schema: Mapping[str, Any]) -> str:
    """Return the form of an answer by `schema`, as a prompt shows it: JSON with a word on each value."""
    if "anyOf" in schema:
        return " or ".join(
            "null" if each.get("type") == "null" else form_of(each) for each in schema["anyOf"]
        )
    if "enum" in schema:
        return " | ".join(json.dumps(each) for each in schema["enum"])
    kind = schema.get("type")
    if kind == "object":
        fields = ", ".join(f'"{name}": {form_of(each)}' for name, each in schema["properties"].items())
        return f"{{{fields}}}"
    if kind == "array":
        most = f", … at most {schema['maxItems']}" if "maxItems" in schema else ", …"
        return f"[{form_of(schema['items'])}{most}]"
    if kind == "string":
        return json.dumps(schema.get("description", "…"), ensure_ascii=False)
    return {"integer": "a whole number", "boolean": "true or false"}.get(str(kind), str(kind))
