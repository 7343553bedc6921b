"""Where the time of a run went: its phases, and the commands of its baseline and verdicts."""

from collections.abc import Sequence
from datetime import datetime

from bot.log.events import Entry
from bot.log.state import fold
from bot.report.page.timeline import PhaseSpan, critical_path, spans
from runners.contract.events import BaselineReached, ModelReplied, ToolCalled, VerdictReached
from runners.verify.verdict import Evidence

_SHOWN = 90  # characters of a command
_WIDTH = 40  # characters of the line of time


def times(entries: Sequence[Entry]) -> list[str]:
    """Return lines for people: each phase, then what the baseline and each verdict ran, how long and why.

    A phase has a row and a bar of its own, so that two that ran at the same time stand one above the other.
    Phases that the run waited for are marked with ``*`` and drawn with ``#``, others with ``-``: the marked
    ones are the critical path. A command whose result was known already was not run again.
    """
    found = spans(fold(entries).times)
    whole = max((each.end for each in found), default=0.0)
    lines = [_phase(each, whole) for each in found]
    if found:
        path = " > ".join(each.phase for each in found if each.critical)
        lines.append(f"  {'':8} {critical_path(found):8.1f} s  critical path: {path}")
        lines.append(f"  {'':8} {_shares(entries, found)}")
    for event in (entry.event for entry in entries):
        if isinstance(event, BaselineReached):
            lines += ["", "Baseline", f"  {event.environment_s:8.1f} s  the environment"]
            lines += [
                f"  {each.seconds:8.1f} s  {each.name}  (all tests on the old code)" for each in event.suites
            ]
    verdicts = [entry.event.verdict for entry in entries if isinstance(entry.event, VerdictReached)]
    for number, verdict in enumerate(verdicts, 1):
        lines += ["", f"Verdict {number}: {verdict.status}, {len(verdict.evidence)} commands"]
        lines += [_command(each) for each in sorted(verdict.evidence, key=lambda each: -each.seconds)]
    return lines


def _shares(entries: Sequence[Entry], found: Sequence[PhaseSpan]) -> str:
    """Say whose the seconds of the critical path were: the model's, tools' and tests', or Scenarist's own.

    Commands of a verdict that ran at the same time count together, so its own share is rather too small.
    """
    waited = {each.phase for each in found if each.critical}
    model = commands = 0.0
    for event in (entry.event for entry in entries):
        if isinstance(event, ModelReplied) and event.phase in waited:
            model += event.seconds
        elif isinstance(event, ToolCalled):
            commands += event.seconds
        elif isinstance(event, BaselineReached) and "baseline" in waited:
            commands += event.environment_s + sum(each.seconds for each in event.suites)
        elif isinstance(event, VerdictReached) and "verify" in waited:
            commands += sum(each.seconds for each in event.verdict.evidence if not each.known)
    whole = critical_path(found)
    own = max(0.0, whole - model - commands)
    share = own / whole if whole else 0.0
    return f"model {model:.1f} s, tools and tests {commands:.1f} s, the rest {own:.1f} s ({share:.0%})"


def _phase(each: PhaseSpan, whole: float) -> str:
    mark, dash = ("*", "#") if each.critical else (" ", "-")
    took = "        on" if each.on else f"{each.seconds:8.1f} s"
    scale = _WIDTH / whole if whole else 0.0
    begin = round(each.after * scale)
    bar = " " * begin + dash * max(1, round(each.end * scale) - begin)
    return f"{mark} {datetime.fromisoformat(each.started):%H:%M:%S} {took}  {each.phase:9} |{bar}"


def _command(each: Evidence) -> str:
    took = "   known" if each.known else f"{each.seconds:8.1f}"
    why = f"  ({each.purpose})" if each.purpose else ""
    return f"  {took} s  {each.commit[:8]} {each.command[:_SHOWN]}{why}"
