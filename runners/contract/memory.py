"""A repository's memory: what earlier work taught, as reviewed text in `.scenarist/memory.md`.

The file is Markdown with a heading for each kind and one entry a line. People write and change it as they
like; everything else in it is left alone.
"""

import re
from collections.abc import Sequence
from typing import Literal, NamedTuple, get_args

from pydantic import Field

from gherkin.values import Frozen
from runners.policy.plaintext import one_line

MEMORY = ".scenarist/memory.md"
LearnedKind = Literal["decision", "lesson", "command", "trap"]
HEADINGS: dict[LearnedKind, str] = {
    "decision": "Decisions",
    "lesson": "Lessons",
    "command": "Commands",
    "trap": "Traps",
}
MAX_LESSON = 300
_MOST = 3  # of one run
_BUDGET = 3_000  # characters in a prompt, about 750 tokens
_SAME = 0.8  # share of common words from which two entries say the same
_BULLET = re.compile(r"[-*+]\s+(?P<text>\S.*)")
_HEADING = re.compile(r"#{1,6}\s+(?P<text>.+?)\s*#*")
_SOURCE = re.compile(r"\s*\((?:#|!)\u2060?\d+[^()]*\)\s*$")
_WORD = re.compile(r"\w{3,}")


class Learned(Frozen):
    """One thing that later work in the repository should know."""

    kind: LearnedKind = Field(
        default="lesson",
        description="decision: what was decided; lesson: a rule; command: one that works; trap: a pitfall.",
    )
    text: str = Field(max_length=MAX_LESSON, description="One sentence that needs no context.")


class Remembered(NamedTuple):
    """An entry of the memory: the heading it stands under, its text, and its line, from 0."""

    heading: str
    text: str
    line: int


def remembered(memory: str) -> list[Remembered]:
    """Return the entries of a memory file, in their order."""
    found: list[Remembered] = []
    heading = ""
    for number, line in enumerate(memory.splitlines()):
        if titled := _HEADING.fullmatch(line.strip()):
            heading = titled["text"]
        elif entry := _BULLET.fullmatch(line):
            found.append(Remembered(heading, entry["text"].strip(), number))
    return found


def relevant(memory: str, asked: str, budget: int = _BUDGET) -> str:
    """Return the entries that a prompt shows, in at most `budget` characters.

    If there is no room for all, the entries that share most words with `asked`, the text of the task, are
    taken first.
    """
    words = _words(asked)
    entries = remembered(memory)
    ranked = sorted(entries, key=lambda each: -len(words & _words(each.text)))
    chosen: set[int] = set()
    for each in ranked:
        size = len(each.text) + len(each.heading) + 8
        if size <= budget:
            budget -= size
            chosen.add(each.line)
    shown: list[str] = []
    heading = None
    for each in entries:
        if each.line in chosen:
            shown += [f"{each.heading}:"] if each.heading != heading and each.heading else []
            shown.append(f"- {each.text}")
            heading = each.heading
    return "\n".join(shown)


def new_lines(memory: str, learned: Sequence[Learned], source: str) -> list[tuple[LearnedKind, str]]:
    """Return (kind, line) of what a run learned and the memory does not say yet, at most three.

    `source` says where a line comes from, such as ``#12``. The text can neither mention people nor link
    anything.
    """
    known = [_words(each.text) for each in remembered(memory)]
    found: list[tuple[LearnedKind, str]] = []
    for each in learned:
        text = one_line(each.text.lstrip("-*+# "), MAX_LESSON).strip()
        words = _words(text)
        if not words or any(_alike(words, other) for other in known):
            continue
        known.append(words)
        found.append((each.kind, f"- {text} ({source})"))
    return found[:_MOST]


def contradicted(memory: str, outdated: Sequence[str]) -> list[Remembered]:
    """Return the entries that `outdated` names word for word; their sources and spaces do not matter."""
    named = {_plain(text) for text in outdated if _plain(text)}
    return [each for each in remembered(memory) if _plain(each.text) in named]


def rewritten(memory: str, added: Sequence[tuple[LearnedKind, str]], removed: Sequence[Remembered]) -> str:
    """Return the memory with the lines `added` at the end of their sections, and without those `removed`."""
    gone = {each.line for each in removed}
    lines = [line for number, line in enumerate(memory.splitlines()) if number not in gone]
    for kind in get_args(LearnedKind):
        new = [line for each, line in added if each == kind]
        if new:
            at = _end_of(lines, HEADINGS[kind])
            if at is None:
                lines += ["", f"## {HEADINGS[kind]}", "", *new]
            else:
                lines[at:at] = new
    return "\n".join(lines).strip("\n") + "\n"


def _end_of(lines: Sequence[str], heading: str) -> int | None:
    """Return where the next entry under `heading` goes; None if there is no such heading.

    That is after the last entry there, or else after the blank line below the heading.
    """
    at = None
    inside = False
    for number, line in enumerate(lines):
        if titled := _HEADING.fullmatch(line.strip()):
            inside = titled["text"].lower() == heading.lower()
            if inside:
                blank = number + 1 < len(lines) and not lines[number + 1].strip()
                at = number + (2 if blank else 1)
        elif inside and line.strip():
            at = number + 1
    return at


def _plain(text: str) -> str:
    bare = _SOURCE.sub("", text.strip().lstrip("-*+ "))
    return " ".join(re.findall(r"\w+", bare.lower()))


def _words(text: str) -> frozenset[str]:
    return frozenset(_WORD.findall(_SOURCE.sub("", text).lower()))


def _alike(words: frozenset[str], other: frozenset[str]) -> bool:
    return len(words & other) >= _SAME * min(len(words), len(other)) > 0
