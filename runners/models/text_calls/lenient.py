"""Read JSON as models write it, and say how much of it had to be guessed."""

import json
import re
from dataclasses import dataclass, field
from typing import Any

_MAX_DEPTH = 40
_WORDS: dict[str, Any] = {
    "true": True,
    "false": False,
    "null": None,
    "True": True,
    "False": False,
    "None": None,
}
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,300})(?:\.[0-9]{1,300})?(?:[eE][+-]?[0-9]{1,3})?(?![0-9])")
_VISIBLE = re.compile(r"[^ \t\r\n]")
_PLAIN = {'"': re.compile(r'[^"\\]*'), "'": re.compile(r"[^'\\]*")}
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}


class NoJsonHere(ValueError):
    """There is no JSON at that place, not even damaged JSON."""


@dataclass(frozen=True)
class Dialect:
    """What a family of models writes instead of JSON.

    `quote` opens and closes a string in which nothing is escaped. With `names` the keys of objects need no
    quotes. With `arrows` ``=>`` may stand for the colon, and ``--key`` for a key without one.
    """

    quote: str = ""
    names: bool = False
    arrows: bool = False


JSON = Dialect()
GEMMA = Dialect(quote='<|"|>', names=True)
ARROWS = Dialect(arrows=True)


@dataclass
class Lenient:
    """The result of reading `text` at `start`: the `value`, where it ends, and what had to be repaired.

    `truncated` says that the text ended before the value did, `guessed` that another reading was possible.
    """

    text: str
    end: int = 0
    value: Any = None
    truncated: bool = False
    guessed: bool = False
    dialect: Dialect = JSON
    _depth: int = field(default=0, repr=False)


def read(text: str, start: int = 0, dialect: Dialect = JSON) -> Lenient:
    """Read one value of `text` from `start` on; what follows it is left alone. Raises `NoJsonHere`.

    It takes linear time. Raw line ends in strings, trailing commas, Python's words for true, false and null,
    and what is usual in `dialect` are mended without a guess. Single quotes, names without quotes, a missing
    end and everything with arrows count as guessed.
    """
    found = Lenient(text, start, dialect=dialect, guessed=dialect.arrows)
    try:
        found.value, found.end = json.JSONDecoder(strict=False).raw_decode(text, _visible(text, start))
    except (ValueError, RecursionError):
        found.end = start
        found.value = _value(found)
    return found


def _skip(found: Lenient) -> str:
    """Return the next character that is no white space; empty at the end."""
    found.end = _visible(found.text, found.end)
    return found.text[found.end : found.end + 1]


def _visible(text: str, at: int) -> int:
    """Return where the next character is that is no white space, from `at` on."""
    visible = _VISIBLE.search(text, at)
    return visible.start() if visible else len(text)


def _value(found: Lenient) -> Any:
    mark = _skip(found)
    if mark in ("{", "["):
        found._depth += 1
        if found._depth > _MAX_DEPTH:
            raise NoJsonHere("it is nested too deeply")
        value = _object(found) if mark == "{" else _array(found)
        found._depth -= 1
        return value
    if found.dialect.quote and found.text.startswith(found.dialect.quote, found.end):
        return _raw_string(found)
    if mark in ('"', "'"):
        return _string(found, mark)
    number = _NUMBER.match(found.text, found.end)
    if number is not None:
        found.end = number.end()
        return json.loads(number[0])
    word = _WORD.match(found.text, found.end)
    if word is not None and word[0] in _WORDS:
        found.end = word.end()
        return _WORDS[word[0]]
    if not mark:
        found.truncated = True
        return None
    raise NoJsonHere(f"{mark!r} at {found.end} begins no value")


def _object(found: Lenient) -> dict[str, Any]:
    value: dict[str, Any] = {}
    found.end += 1
    while mark := _next(found, "}"):
        key = _key(found, mark)
        if found.truncated:
            return value
        mark = _skip(found)
        if mark == ":":
            found.end += 1
        elif found.dialect.arrows and found.text.startswith("=>", found.end):
            found.end += 2
        elif not mark:
            found.truncated = True
            return value
        elif not found.dialect.arrows:
            raise NoJsonHere(f"no colon behind the name {key!r}")
        value[key] = _value(found)
        if found.truncated:
            break
    return value


def _key(found: Lenient, mark: str) -> str:
    if mark in ('"', "'"):
        return _string(found, mark)
    if found.dialect.quote and found.text.startswith(found.dialect.quote, found.end):
        return _raw_string(found)
    if found.dialect.arrows and found.text.startswith("--", found.end):
        found.end += 2
    word = _WORD.match(found.text, found.end)
    if word is None:
        raise NoJsonHere(f"{mark!r} at {found.end} begins no name")
    found.guessed = found.guessed or not found.dialect.names
    found.end = word.end()
    return word[0]


def _array(found: Lenient) -> list[Any]:
    value: list[Any] = []
    found.end += 1
    while _next(found, "]"):
        value.append(_value(found))
        if found.truncated:
            break
    return value


def _next(found: Lenient, close: str) -> str:
    """Return the first character of the next element; empty behind the last one and where the text ends."""
    while (mark := _skip(found)) == ",":
        found.end += 1
    if mark == close:
        found.end += 1
        return ""
    found.truncated = not mark
    return mark


def _raw_string(found: Lenient) -> str:
    """Return a string between two of the dialect's quotes."""
    start = found.end + len(found.dialect.quote)
    end = found.text.find(found.dialect.quote, start)
    if end < 0:
        found.truncated, found.end = True, len(found.text)
        return found.text[start:]
    found.end = end + len(found.dialect.quote)
    return found.text[start:end]


def _string(found: Lenient, quote: str) -> str:
    found.guessed = found.guessed or quote == "'"
    parts: list[str] = []
    at = found.end + 1
    while True:
        plain = _PLAIN[quote].match(found.text, at)
        parts.append(plain[0])  # type: ignore[index]
        at = plain.end()  # type: ignore[union-attr]
        mark = found.text[at : at + 1]
        if mark == quote:
            found.end = at + 1
            return "".join(parts)
        if not mark:
            found.truncated, found.end = True, at
            return "".join(parts)
        code = found.text[at + 1 : at + 2]
        if code == "u" and re.fullmatch(r"[0-9a-fA-F]{4}", found.text[at + 2 : at + 6]):
            parts.append(chr(int(found.text[at + 2 : at + 6], 16)))
            at += 6
            continue
        if code not in _ESCAPES and code not in ('"', "'", "\\", "/"):
            # A backslash that escapes nothing, as in a regular expression: it stays.
            found.guessed = True
            parts.append("\\")
        parts.append(_ESCAPES.get(code, code))
        at += 2
