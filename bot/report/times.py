"""Where the time of a run went: its phases, and the commands of its verdicts."""

from collections.abc import Sequence
from datetime import datetime

from bot.log.events import BESIDE, Entry
from bot.log.state import PhaseTime, fold
from runners.contract.events import VerdictReached
from runners.verify.verdict import Evidence

_SHOWN = 90  # characters of a command


def times(entries: Sequence[Entry]) -> list[str]:
    """Lines for people: each phase with its seconds, then what each verdict ran, for how long and what for.

    A phase that another one waited for is marked with ``*``: together these are the time the run took. What
    is done beside a longer phase costs nothing. A command whose result was known already was not run again.
    """
    state = fold(entries)
    lines = []
    for each in state.times:
        begun = datetime.fromisoformat(each.started)
        mark = "*" if _counts(each, state.times) else " "
        took = f"{_seconds(each):8.1f} s" if each.ended else "        on"
        lines.append(f"{mark} {begun:%H:%M:%S} {took}  {each.phase}")
    total = sum(_seconds(each) for each in state.times if _counts(each, state.times))
    lines.append(f"  {'':8} {total:8.1f} s  in all")
    verdicts = [entry.event.verdict for entry in entries if isinstance(entry.event, VerdictReached)]
    for number, verdict in enumerate(verdicts, 1):
        lines += ["", f"Verdict {number}: {verdict.status}, {len(verdict.evidence)} commands"]
        lines += [_command(each) for each in sorted(verdict.evidence, key=lambda each: -each.seconds)]
    return lines


def _command(each: Evidence) -> str:
    took = "   known" if each.known else f"{each.seconds:8.1f}"
    why = f"  ({each.purpose})" if each.purpose else ""
    return f"  {took} s  {each.commit[:8]} {each.command[:_SHOWN]}{why}"


def _seconds(each: PhaseTime) -> float:
    if not each.ended:
        return 0.0
    return (datetime.fromisoformat(each.ended) - datetime.fromisoformat(each.started)).total_seconds()


def _counts(each: PhaseTime, all_times: Sequence[PhaseTime]) -> bool:
    """Whether the run waited for a phase: of two that are done at the same time, the one that ended last."""
    pairs = {**BESIDE, **{beside: host for host, beside in BESIDE.items()}}
    other = pairs.get(each.phase)
    overlapping = [
        one
        for one in all_times
        if one.phase == other and one.ended and one.started < each.ended and one.ended > each.started
    ]
    return all((one.ended, one.phase) <= (each.ended, each.phase) for one in overlapping)
