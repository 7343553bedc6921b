"""Long text, cut for a page: its first and last lines, and how many are left out."""

from collections.abc import Sequence
from typing import NamedTuple

from bot.report.page.diff import Line

FIRST, LAST = 24, 8
_WIDTH = 2000


class Output(NamedTuple):
    """The lines to show before and after the cut; `hidden` is how many lines lie between them."""

    first: tuple[Line, ...]
    last: tuple[Line, ...] = ()
    hidden: int = 0


def cut(lines: Sequence[Line]) -> Output:
    """Return at most `FIRST` and `LAST` lines of `lines`. Lines of over 2,000 characters are cut too."""
    short = [
        line if len(line.text) <= _WIDTH else Line(line.kind, f"{line.text[:_WIDTH]}…") for line in lines
    ]
    hidden = len(short) - FIRST - LAST
    if hidden <= LAST:
        return Output(tuple(short))
    return Output(tuple(short[:FIRST]), tuple(short[-LAST:]), hidden)


def whole(lines: Sequence[Line]) -> Output:
    """Return all of `lines`."""
    return Output(tuple(lines))
