"""When runs are asked for: evenly by chance, in office hours, or a whole backlog at once."""

import random
from math import cos, pi

DAY_S = 86_400.0
PATTERNS = ("even", "office", "backlog")


def arrivals(pattern: str, a_day: float, days: int, chance: random.Random) -> list[float]:
    """Return moments in seconds, `a_day` a day on average. Raises `ValueError` for an unknown pattern.

    `even` is a Poisson process. `office` is one whose rate follows the hours of five days a week: none at
    night, the most at noon. `backlog` has a fifth of each day's runs at nine in the morning, and the rest as
    `office`.
    """
    if pattern == "even":
        return _poisson(a_day / DAY_S, days * DAY_S, chance)
    if pattern == "office":
        return _office(a_day, days, chance)
    if pattern == "backlog":
        workdays = [day for day in range(days) if day % 7 < 5]
        at_once = round(a_day * 7 / 5 / 5)
        mornings = [day * DAY_S + 9 * 3600.0 for day in workdays for _ in range(at_once)]
        return sorted(mornings + _office(a_day * 4 / 5, days, chance))
    raise ValueError(f"unknown pattern: {pattern}")


def _poisson(rate: float, end: float, chance: random.Random) -> list[float]:
    found, now = [], chance.expovariate(rate)
    while now < end:
        found.append(now)
        now += chance.expovariate(rate)
    return found


def _office(a_day: float, days: int, chance: random.Random) -> list[float]:
    """Thin a Poisson process of the highest rate (https://doi.org/10.1002/nav.3800260304)."""
    workday = a_day * 7 / 5
    # The mean of 1 - cos over the ten hours from 8 to 18 is 1, and its highest value 2.
    highest = 2 * workday / 36_000.0
    return [
        now
        for now in _poisson(highest, days * DAY_S, chance)
        if chance.random() * highest < _rate(now, workday)
    ]


def _rate(now: float, workday: float) -> float:
    day, second = divmod(now, DAY_S)
    after_eight = second - 8 * 3600.0
    if day % 7 >= 5 or not 0 <= after_eight < 36_000.0:
        return 0.0
    return workday / 36_000.0 * (1 - cos(2 * pi * after_eight / 36_000.0))
