"""Separate the fenced code blocks of a Markdown text from its prose, and remove HTML comments.

Fences are those of https://spec.commonmark.org/0.31.2/#fenced-code-blocks, but may have any indent, as in
lists. The time is linear in the length of every text.
"""

import re
from typing import NamedTuple

_FENCE = re.compile(r"^(?P<indent>[ \t]*)(?P<fence>`{3,}|~{3,})(?P<info>.*)$")


class Block(NamedTuple):
    """A fenced block: the first word after the fence in lower case, its text, and its first line.

    `line` is the number of the first line inside, counted from 1.
    """

    kind: str
    text: str
    line: int


def split(text: str) -> tuple[str, list[Block]]:
    """Return the prose and the blocks; the lines of blocks and HTML comments are empty in the prose."""
    prose: list[str] = []
    blocks: list[Block] = []
    opened: re.Match[str] | None = None
    inside: list[str] = []
    commented = False
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    for number, line in enumerate(lines, start=1):
        if opened is not None:
            prose.append("")
            if _closes(line, opened["fence"]):
                blocks.append(_block(opened, inside, number - len(inside)))
                opened = None
            else:
                inside.append(_outdented(line, len(opened["indent"])))
            continue
        line, commented = _uncommented(line, commented)
        found = _FENCE.match(line)
        if found and (line.lstrip()[0] == "~" or "`" not in found["info"]):
            opened, inside = found, []
            line = ""
        prose.append(line)
    if opened is not None:  # a block without an end extends to the end of the text
        blocks.append(_block(opened, inside, len(lines) - len(inside) + 1))
    return "\n".join(prose), blocks


def _closes(line: str, fence: str) -> bool:
    mark = line.strip()
    return len(mark) >= len(fence) and mark == fence[0] * len(mark)


def _block(opened: re.Match[str], inside: list[str], line: int) -> Block:
    words = opened["info"].split()
    return Block(words[0].lower() if words else "", "\n".join(inside), line)


def _outdented(line: str, indent: int) -> str:
    return line[min(indent, len(line) - len(line.lstrip())) :]


def _uncommented(line: str, commented: bool) -> tuple[str, bool]:
    """Return the line without ``<!-- … -->``, and whether a comment is still open at its end.

    Only a comment that begins its line continues on the next one; elsewhere an open ``<!--`` is text.
    """
    kept: list[str] = []
    at = 0
    while True:
        mark = "-->" if commented else "<!--"
        found = line.find(mark, at)
        if mark == "<!--" and line[:found].strip() and "-->" not in line[found:]:
            found = -1
        if not commented:
            kept.append(line[at:] if found < 0 else line[at:found])
        if found < 0:
            return "".join(kept), commented
        commented = not commented
        at = found + len(mark)
