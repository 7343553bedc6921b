"""Replace one passage of a text, or say clearly why that is not possible."""

import difflib
from dataclasses import dataclass

from runners.policy.refused import Refused

_CONTEXT = 3
_NAMED = 10
# Comparing takes time in proportion to the product of both.
_COMPARED, _WANTED = 5_000, 200


@dataclass(frozen=True)
class Replaced:
    """The new text, the first line (from 1) that was replaced, and whether it matched ignoring whitespace."""

    text: str
    line: int
    loosely: bool = False


def numbered(lines: list[str], first: int) -> str:
    """Return lines with their numbers, the first one being `first`."""
    return "\n".join(f"{number:>5}\t{line}" for number, line in enumerate(lines, first))


def replace_once(text: str, old: str, new: str) -> Replaced:
    """Replace the only occurrence of `old` in `text` by `new`; line ends stay those of `text`.

    If there is no exact occurrence, lines are compared without the whitespace around them, and `new` is
    indented like the text. Raises `Refused` if there is no such
    place, with the closest one, or if there are several, with their lines.
    """
    crlf = "\r\n" in text and text.count("\r\n") == text.count("\n")
    if crlf:
        text = text.replace("\r\n", "\n")
    if "\r" not in text:
        old, new = old.replace("\r\n", "\n"), new.replace("\r\n", "\n")
    if not old.strip():
        raise Refused("`old` is empty. Give the text to replace, or use write_file for a whole file.")
    if old == new:
        raise Refused("`old` and `new` are the same, so there is nothing to change.")
    done = _exactly(text, old, new) or _loosely(text, old, new)
    if done is None:
        raise Refused(f"`old` does not occur in the file. {closest(text, old)}")
    return Replaced(done.text.replace("\n", "\r\n"), done.line, done.loosely) if crlf else done


def _exactly(text: str, old: str, new: str) -> Replaced | None:
    places: list[int] = []
    at = text.find(old)
    while at >= 0 and len(places) <= _NAMED:
        places.append(text.count("\n", 0, at) + 1)
        at = text.find(old, at + 1)
    _refuse_several(places)
    return Replaced(text.replace(old, new, 1), places[0]) if places else None


def _loosely(text: str, old: str, new: str) -> Replaced | None:
    lines, olds, news = text.split("\n"), old.split("\n"), new.split("\n") if new else []
    while olds and not olds[0].strip():  # a blank line around `old` stands for nothing
        del olds[0]
        news = news[1:] if news and not news[0].strip() else news
    while olds and not olds[-1].strip():
        del olds[-1]
        news = news[:-1] if news and not news[-1].strip() else news
    stripped, wanted = [line.strip() for line in lines], [line.strip() for line in olds]
    size = len(wanted)
    places = _runs(stripped, wanted)
    _refuse_several([at + 1 for at in places])
    if not places:
        return None
    at = places[0]
    indented = _indented(news, olds, lines[at : at + size])
    if indented is None:
        raise Refused(
            f"`old` is indented differently from the file, and not by the same amount on each line. "
            f"{_shown(lines, at, size)}"
        )
    return Replaced("\n".join([*lines[:at], *indented, *lines[at + size :]]), at + 1, loosely=True)


def _runs(lines: list[str], wanted: list[str]) -> list[int]:
    """Return where `wanted` stands among `lines`, at most a few places.

    By one search of text, which takes linear time.
    """
    if not wanted:
        return []
    text, part = "\n".join(["", *lines, ""]), "\n".join(["", *wanted, ""])
    places: list[int] = []
    at = text.find(part)
    while at >= 0 and len(places) <= _NAMED:
        places.append(text.count("\n", 0, at))
        at = text.find(part, at + 1)
    return places


def _indented(news: list[str], olds: list[str], found: list[str]) -> list[str] | None:
    """Return `news` with the indentation of `olds` turned into that of the lines `found`; None if there is
    no one way.
    """
    turned: dict[str, str] = {}
    for old, line in zip(olds, found, strict=True):
        if old.strip() and turned.setdefault(_indent(old), _indent(line)) != _indent(line):
            return None
    added = {line.removesuffix(old) for old, line in turned.items() if line.endswith(old)}
    shift = (
        added.pop() if len(added) == 1 and all(line.endswith(old) for old, line in turned.items()) else None
    )
    end = "\r" if found[0].endswith("\r") else ""
    result = []
    for new in news:
        if not new.strip():
            result.append(end)
            continue
        indent = turned.get(_indent(new), None if shift is None else shift + _indent(new))
        if indent is None:
            return None
        result.append(indent + new.strip() + end)
    return result


def _indent(line: str) -> str:
    return line[: len(line) - len(line.lstrip())]


def _refuse_several(places: list[int]) -> None:
    if len(places) > 1:
        shown = ", ".join(map(str, places[:_NAMED])) + (" and more" if len(places) > _NAMED else "")
        raise Refused(
            f"`old` occurs more than once, at lines {shown}. Give more lines around the one you mean."
        )


def closest(text: str, old: str) -> str:
    """Return the place that looks most like `old`, found by its longest run of equal lines or its most
    similar line.
    """
    lines = text.split("\n")[:_COMPARED]
    stripped = [line.strip() for line in lines]
    wanted = [line.strip() for line in old.strip().split("\n")][:_WANTED]
    matcher = difflib.SequenceMatcher(None, stripped, wanted, autojunk=False)
    block = matcher.find_longest_match()
    if block.size and any(stripped[block.a : block.a + block.size]):
        return _shown(lines, max(0, block.a - block.b), len(wanted))
    longest = max(wanted, key=len)
    candidates = dict.fromkeys(line for line in stripped if len(line) < 300)
    similar = difflib.get_close_matches(longest[:300], candidates, n=1, cutoff=0.5)
    if not similar:
        return "Nothing in the file looks like it. Use read_file to see what is there."
    return _shown(lines, max(0, stripped.index(similar[0]) - wanted.index(longest)), len(wanted))


def _shown(lines: list[str], at: int, size: int) -> str:
    first = max(0, at - _CONTEXT)
    passage = numbered([line[:300] for line in lines[first : at + min(size, 20) + _CONTEXT]], first + 1)
    return f"The closest place is:\n{passage}\nCopy the lines exactly, without their numbers."
