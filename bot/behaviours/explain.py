"""Explain a run from its log, for people who ask: where it is, what was tried, why it failed, its cost."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from bot.log.events import APPROVAL, COMPANIONS, Controlled, Entry, PhaseDelayed, PhaseFinished, PhaseStarted
from bot.log.state import RunState, fold
from bot.report.escape import inline, sentence
from bot.report.reporter import spent_text
from bot.report.status import headline, next_text, plural
from runners.contract.events import Advised, ModelRouted, ModelSwitched, VerdictReached
from runners.contract.team_events import CandidateBegun, CandidateChosen

_MAX_STEPS = 40
_MAX_PROBLEMS = 5
_WIDTH = 300
# Outcomes of a phase whose names say too little.
_OUTCOMES: Mapping[str, str] = {
    APPROVAL: "asked for an approval",
    "needs_info": "asked a question",
    "red": "sent the change back",
    "respecify": "sent the scenarios back",
    "critique": "sent the change back after a critique",
    "candidate": "had another candidate begin",
}


def status(run_id: str, state: RunState, pull_sign: str = "#") -> str:
    """Return where a run is and what comes next, in a sentence or two (Markdown).

    `pull_sign` stands before the number of a pull request.
    """
    where = " ".join(filter(None, [f"The run {headline(state, pull_sign)}", next_text(state)]))
    return f"{where}\n\n<sub>Run {run_id} · {spent_text(state)}</sub>"


def explanation(run_id: str, entries: Sequence[Entry], pull_sign: str = "#") -> str:
    """Return what a run tried, step by step, why it ended and what it cost (Markdown)."""
    state = fold(entries)
    steps = list(_steps(entries))
    left = len(steps) - _MAX_STEPS
    shown = [f"- … {plural(left, 'earlier step')} left out", *steps[left:]] if left > 0 else steps
    lines = [
        f"The run {headline(state, pull_sign)}",
        "",
        "**What was tried:**",
        "",
        *(shown or ["- Nothing yet."]),
    ]
    if state.status in ("gave_up", "failed", "cancelled", "needs_info") and state.reason:
        code = f"{state.code}: " if state.code else ""
        lines += ["", f"**Why it ended:** {code}{sentence(state.reason, 600)}"]
    if state.verdict is not None and not state.verdict.green:
        found = list(dict.fromkeys(each.message for each in state.verdict.problems))
        lines += ["", "**What the last verification found:**", ""]
        lines += [f"- {sentence(each, _WIDTH)}" for each in found[:_MAX_PROBLEMS]]
        if len(found) > _MAX_PROBLEMS:
            lines.append(f"- … and {len(found) - _MAX_PROBLEMS} more")
    lines += ["", f"**What it cost:** {spent_text(state)}.", "", f"<sub>Run {run_id}</sub>"]
    return "\n".join(lines)


def _steps(entries: Iterable[Entry]) -> Iterable[str]:
    """Return a line for each thing that changed the course of the run."""
    began: dict[str, str] = {}
    rounds = 0
    for entry in entries:
        event = entry.event
        match event:
            case PhaseStarted():
                began[event.phase] = entry.at
            case PhaseFinished() if event.phase != "conclude":
                took = _took(began.get(event.phase, ""), entry.at)
                why = f": {sentence(event.reason, _WIDTH)}" if event.reason else ""
                beside = " (beside)" if event.phase in COMPANIONS else ""
                outcome = _OUTCOMES.get(event.outcome, event.outcome.replace("_", " "))
                yield f"- {event.phase}{beside}: {outcome}{took}{why}"
            case PhaseDelayed():
                yield f"- {event.phase}: put off for {event.seconds:.0f} s: {sentence(event.reason, _WIDTH)}"
            case VerdictReached():
                rounds += 1
                proven = sum(proof.proven for proof in event.verdict.scenarios)
                total = plural(len(event.verdict.scenarios), "scenario")
                found = plural(len(event.verdict.problems), "finding")
                result = "green" if event.verdict.green else f"red with {found}"
                yield f"- verdict {rounds}: {result}, {proven} of {total} proven"
            case ModelRouted():
                yield f"- {inline(event.runtime, 100)} is the {event.role}: {sentence(event.reason, _WIDTH)}"
            case ModelSwitched():
                yield f"- {inline(event.to, 100)} took over: {sentence(event.reason, _WIDTH)}"
            case CandidateBegun():
                why = inline(event.reason)
                yield f"- candidate {event.number} by {inline(event.runtime, 100)}, because {why}"
            case CandidateChosen():
                yield f"- candidate {event.number} was taken, because {inline(event.reason)}"
            case Advised() if event.text:
                why = inline(event.reason)
                yield f"- {inline(event.model, 100)} gave advice, because the work was {why}"
            case Controlled() if event.by:
                yield f"- {event.control} by {inline(event.by, 100)}"
            case _:
                pass


def _took(began: str, ended: str) -> str:
    if not began:
        return ""
    seconds = (datetime.fromisoformat(ended) - datetime.fromisoformat(began)).total_seconds()
    return f" after {seconds:.0f} s"
