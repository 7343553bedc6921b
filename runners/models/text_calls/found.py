"""The result of the formats' readers: a call in a text."""

from dataclasses import dataclass
from typing import Any

MAX_CALLS = 32
"""Calls of one reply that are looked at."""


@dataclass(frozen=True)
class FoundCall:
    """A call in a text, from the character `start` up to the character `end`.

    `arguments` is an object, or whatever was in its place. `family` names the format. `sure` says that the
    call can be read in one way only, `whole` that it was not cut off, `marked` that its format marks it as a
    call, and `textual` that the format's values are all text, whatever type the tool expects.
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
