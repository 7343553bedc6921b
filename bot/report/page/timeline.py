"""The phases of a run on a line of time, and which of them the run waited for."""

from collections.abc import Sequence
from datetime import datetime

from bot.log.events import BESIDE, Phase
from bot.log.state import PhaseTime
from gherkin.values import Frozen


class PhaseSpan(Frozen):
    """One execution of a phase.

    `after` is how many seconds after the first phase it began, `seconds` is how long it took so far.
    `critical`: the run waited for it. Of two phases that ran at the same time, that is the one that ended
    last.
    """

    phase: Phase
    started: str
    after: float
    seconds: float
    on: bool
    critical: bool

    @property
    def end(self) -> float:
        """Return how many seconds after the first phase it ended."""
        return self.after + self.seconds


def spans(times: Sequence[PhaseTime], now: str = "") -> list[PhaseSpan]:
    """Return the executions of phases in the order in which they began.

    `now` (UTC in ISO 8601) is the end of those that are still on; without it they take no time.
    """
    return [
        PhaseSpan(
            phase=each.phase,
            started=each.started,
            after=_between(times[0].started, each.started),
            seconds=_between(each.started, each.ended or now or each.started),
            on=not each.ended,
            critical=_critical(each, times),
        )
        for each in times
    ]


def critical_path(found: Sequence[PhaseSpan]) -> float:
    """Return the seconds of all phases that the run waited for."""
    return sum(each.seconds for each in found if each.critical)


def _critical(each: PhaseTime, times: Sequence[PhaseTime]) -> bool:
    pairs = {**BESIDE, **{beside: host for host, beside in BESIDE.items()}}
    overlapping = [
        one
        for one in times
        if one.phase == pairs.get(each.phase)
        and one.ended
        and one.started < (each.ended or "~")
        and one.ended > each.started
    ]
    return all((one.ended, one.phase) <= (each.ended or "~", each.phase) for one in overlapping)


def _between(start: str, end: str) -> float:
    return max(0.0, (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds())
