"""The phases of a run as a strip: which are done, which is on, how long each took."""

from datetime import datetime
from typing import Literal, get_args

from bot.log.events import Phase
from bot.log.state import PhaseTime, RunState
from gherkin.values import Frozen

_NAMES: dict[Phase, str] = {
    "prepare": "Fetch",
    "specify": "Scenarios",
    "baseline": "Old tests",
    "implement": "Code",
    "verify": "Verify",
    "publish": "Pull request",
}
PhaseMark = Literal["to come", "not run", "on", "done", "sent back", "stopped", "waiting"]
_ENDS: dict[str, PhaseMark] = {
    "done": "done",
    "red": "sent back",
    "respecify": "sent back",
    "approval": "waiting",
    "needs_info": "waiting",
}


class PhaseRow(Frozen):
    """One phase. `seconds` is the time of all its tries that have ended, `since` when this one began."""

    phase: Phase
    name: str
    mark: PhaseMark
    seconds: float
    tries: int
    since: str = ""


def strip(state: RunState) -> list[PhaseRow]:
    """Return all phases but `conclude`, in their order."""
    return [_step(state, phase) for phase in get_args(Phase) if phase in _NAMES]


def _step(state: RunState, phase: Phase) -> PhaseRow:
    times = [each for each in state.times if each.phase == phase]
    ended = [each.outcome for each in state.finished if each.phase == phase]
    on = bool(times) and not times[-1].ended
    mark: PhaseMark = "to come" if state.status in ("active", "paused") else "not run"
    if on:
        mark = "on" if state.status == "active" else "stopped"
    elif ended:
        mark = _ENDS.get(ended[-1], "stopped")
        if ended[-1] == "approval" and state.approved_by:
            mark = "done"
    elif times:
        mark = "stopped"
    return PhaseRow(
        phase=phase,
        name=_NAMES[phase],
        mark=mark,
        seconds=sum(map(_seconds, times)),
        tries=len(times),
        since=times[-1].started if on else "",
    )


def name_of(phase: Phase) -> str:
    """Return a phase as the page calls it."""
    return _NAMES.get(phase, phase.capitalize())


def _seconds(time: PhaseTime) -> float:
    if not time.ended:
        return 0.0
    return (datetime.fromisoformat(time.ended) - datetime.fromisoformat(time.started)).total_seconds()


def took(seconds: float) -> str:
    """Return a duration as people read it; empty below a tenth of a second."""
    if seconds < 0.1:
        return ""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
