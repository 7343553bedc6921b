"""What the harness records of a scenario, and of a variant of one in an experiment."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from runners.verify.verdict import Outcome

# The parts of a call that gives another result where no test runs.
_KNOWING = 4

_BEHAVE: dict[str, Outcome] = {
    "passed": "passed",
    "xfailed": "passed",
    "failed": "failed",
    "xpassed": "failed",
    "skipped": "skipped",
    "untested": "skipped",
    "undefined": "undefined",
    "untested_undefined": "undefined",
    "pending": "undefined",
    "untested_pending": "undefined",
    "pending_warn": "undefined",
}


class NotedCall(NamedTuple):
    """One call of an instrumented function: the number of its place, its arguments and its result as Python
    writes them.

    The result is None where the function gave nothing back, or raised an error.
    """

    place: str
    arguments: tuple[str, ...]
    result: str | None


class Tried(NamedTuple):
    """The outcome of one variant of a scenario.

    `kind` is that of the step that failed (``given``, ``when``, ``then``; empty: none); `denied`: an
    assertion failed there. `altered`, `kept` and `dropped`: instrumented code returned another value than its
    own, a value for which no other one is known, or another value that its caller does not use.

    The rest is about a step that was watched. `used`: it used anything but its own files and behave's
    context; `ran`: it started a process or tests. `asserted` and `idle` are how often it asserted, and how
    often it ran over nothing; `judged`: it may fail in other ways. `unawaited` are the names of coroutines
    that Then steps made and did not await. `ranges` are the numbers of the Then steps whose code compares by
    order, by a distance or by a remainder; `created` are the files that Then steps created. `asked` are the
    names that the watched step looked for on the context, `missing` those of them that are not there, and
    `names` those that are there after any step.

    `calls` are those of instrumented functions, if they were noted. `knowing` are the calls that give another
    result where no test runs: the place of the function, the call, its result, and the other one.
    """

    outcome: Outcome
    kind: str = ""
    altered: bool = False
    kept: bool = False
    dropped: bool = False
    used: bool = False
    ran: bool = False
    denied: bool = False
    asserted: int = 0
    idle: int = 0
    judged: bool = False
    unawaited: tuple[str, ...] = ()
    ranges: tuple[int, ...] = ()
    created: tuple[str, ...] = ()
    asked: frozenset[str] = frozenset()
    missing: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()
    calls: tuple[NotedCall, ...] = ()
    knowing: tuple[tuple[str, ...], ...] = ()

    @property
    def red(self) -> bool | None:
        """Return whether the scenario noticed the variant; None if it could not be tried.

        A scenario that skips itself then hides what it should notice.
        """
        if self.outcome in ("undefined", "missing"):
            return None
        return self.outcome not in ("passed", "skipped")


def tried_of(entry: dict[str, Any]) -> Tried:
    marks = entry.get("marks") or ()
    counted = entry.get("counted") or {}
    # A step that says that it is not written yet is skipped, too: its definition was found.
    outcome: Outcome = "skipped" if "pending" in str(entry["step_status"]) else behave_outcome(entry)
    return Tried(
        outcome,
        str(entry.get("kind") or ""),
        altered="altered" in marks,
        kept="kept" in marks,
        dropped="dropped" in marks,
        used="used" in marks,
        ran="ran" in marks,
        denied=bool(entry.get("denied")),
        asserted=int(counted.get("asserted") or 0),
        idle=int(counted.get("idle") or 0),
        judged=bool(counted.get("judged")),
        unawaited=tuple(map(str, entry.get("unawaited") or ())),
        created=tuple(map(str, entry.get("created") or ())),
        ranges=tuple(each for each in entry.get("ranges") or () if isinstance(each, int)),
        asked=frozenset(map(str, entry.get("asked") or ())),
        missing=frozenset(map(str, entry.get("missing") or ())),
        names=frozenset(map(str, entry.get("names") or ())),
        calls=_calls(entry.get("calls") or ()),
        knowing=tuple(tuple(map(str, each)) for each in entry.get("knowing") or () if len(each) == _KNOWING),
    )


def _calls(lines: Sequence[object]) -> tuple[NotedCall, ...]:
    """Return the calls in what the harness read: a function's beginning, and later its result, name one
    frame.
    """
    found: list[NotedCall] = []
    running: dict[int, int] = {}
    for line in lines:
        match line:
            case [int(frame), str(place), [*given], *_] if place:
                running[frame] = len(found)
                found.append(NotedCall(place, tuple(map(str, given)), None))
            case [int(frame), "", _, str(result), *_] if frame in running and result != "None":
                number = running.pop(frame)
                found[number] = found[number]._replace(result=result)
    return tuple(found)


def behave_outcome(entry: dict[str, Any]) -> Outcome:
    if entry["steps"] == 0:
        return "undefined"
    if entry["step_status"] in ("undefined", "pending"):
        return "undefined"
    return _BEHAVE.get(entry["status"], "error")
