"""Groups of other values for a step that names one exact value: it must notice at least one of each group.

A group differs from the value in one way, so that an inexact comparison shows: a limit, a tolerance, a
remainder, a prefix, the mere length. Most groups have two values, because a text that is searched may hold
one of them by chance.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

DATE = re.compile(r"(\d{4})-(\d{2})-(\d{2})")
TIME = re.compile(r"(\d{1,2}):(\d{2})((?::\d{2})?)")
_NUMBER = re.compile(r"(-?)(\d+)((?:[.,]\d+)*)")
OPPOSITES = [
    ("true", "false"),
    ("yes", "no"),
    ("on", "off"),
    ("enabled", "disabled"),
    ("valid", "invalid"),
    ("ja", "nein"),
    ("wahr", "falsch"),
    ("oui", "non"),
    ("si", "no"),
]
# From here on a tolerance of a thousandth is no mistake.
_LARGE = 1000
# Differences that leave the remainders of usual divisors: of 2, 4, 5, 8, 10, 100 and 1000, and of 2, 3, 6 and
# 9. Neither leaves that of 24, 60 or 360: times and angles are rightly compared so.
_REMAINDERS = (7000, 18)
# What stands for other text, and what is often compared in part.
_PATTERN = re.compile(r"\.\.\.|…|\*|://|^\S*[/\\]\S*$")
_HALVED = 2


@dataclass(frozen=True)
class Others:
    """Other values that differ in one way.

    `compared`: that they are not noticed is a finding only if the step's code compares by order, by a
    distance or by a remainder. If it looks something up by this number, its neighbours may be there as well.
    """

    values: tuple[str, ...]
    compared: bool = False


def sides(value: str, known: Sequence[str], *, ordered: bool) -> list[Others]:
    """Return the groups of other values for `value`; none if no direction is known.

    `known` are the values that earlier steps name. With `ordered`, a list is also reversed.
    """
    if any(value.lower() in pair for pair in OPPOSITES):
        return []
    if found := DATE.fullmatch(value):
        return _of_date(*found.groups())
    if found := TIME.fullmatch(value):
        return _of_time(*found.groups())
    if found := _NUMBER.fullmatch(value):
        return _of_number(*found.groups())
    return _of_words(value, known, ordered=ordered)


def _of_date(year: str, month: str, day: str) -> list[Others]:
    years = tuple(f"{int(year) + by:04}-{month}-{day}" for by in (1, 3))
    months = tuple(f"{year}-{_turned(int(month), by, 12):02}-{day}" for by in (1, 4))
    return [Others(years), Others(months)]


def _of_time(hour: str, minute: str, rest: str) -> list[Others]:
    hours = tuple(str(_turned(int(hour), by, 23)).zfill(len(hour)) for by in (1, 5))
    groups = [Others(tuple(f"{other}:{minute}{rest}" for other in hours))]
    if rest:
        seconds = tuple(f":{_turned(int(rest[1:]), by, 59):02}" for by in (1, 7))
        groups.append(Others(tuple(f"{hour}:{minute}{other}" for other in seconds)))
    return groups


def _turned(number: int, by: int, most: int) -> int:
    return number + by if number + by <= most else number - by


def _of_number(sign: str, first: str, rest: str) -> list[Others]:
    number = int(sign + first)
    step = max(1, abs(number) // 2)
    near = max(1, abs(number) // _LARGE)
    differences = [(step, step + 1), (-step, -step - 1), (near, -near)]
    differences += [(by, 2 * by) for by in _REMAINDERS]
    groups = [Others(tuple(f"{number + by}{rest}" for by in each), compared=True) for each in differences]
    if point := re.fullmatch(r"([.,])(\d)(\d*)", rest):
        tenths = (f"{sign}{first}{point[1]}{(int(point[2]) + by) % 10}{point[3]}" for by in (5, 3))
        groups.append(Others(tuple(tenths)))
    if abs(number) > 1:
        groups.append(Others((f"{'' if sign else '-'}{first}{rest}",), compared=True))
    return groups


def _of_words(value: str, known: Sequence[str], *, ordered: bool) -> list[Others]:
    groups: list[Others] = []
    letters = sum(letter.isalpha() for letter in value)
    middle = len(value) // 2
    parts = [slice(0, middle), slice(middle, None)]
    if letters < _HALVED or _PATTERN.search(value) or not all(_changes(value[part]) for part in parts):
        parts = [slice(0, None)] if letters > 1 else []
    for part in parts:
        changed = ("".join(_next_letter(letter, by) for letter in value[part]) for by in (1, 3))
        groups.append(Others(tuple(value[: part.start] + each + _behind(value, part) for each in changed)))
    # Where an earlier step names it in other letters, what it is about is their case or their order.
    alike = [word for word in known if word != value and sorted(word.lower()) == sorted(value.lower())]
    if alike:
        groups.append(Others((alike[0],)))
    if ordered and (turned := ", ".join(reversed(re.split(r",\s*", value)))) != value:
        groups.append(Others((turned,)))
    return groups


def _behind(value: str, part: slice) -> str:
    return "" if part.stop is None else value[part.stop :]


def _changes(text: str) -> bool:
    return any(_next_letter(letter, 1) != letter for letter in text)


def _next_letter(letter: str, by: int) -> str:
    if not (letter.isascii() and letter.isalpha()):
        return letter
    first = ord("a" if letter.islower() else "A")
    return chr(first + (ord(letter) - first + by) % 26)
