"""The conversation of a run, entry by entry: what the model said, what it called, what it was told."""

import json
from typing import Any, Literal

from bot.log.events import (
    Adjusted,
    Controlled,
    Entry,
    Event,
    PhaseDelayed,
    PhaseFinished,
    PhaseStarted,
    Published,
    PullEnded,
    RunEnded,
    RunRequested,
    Superseded,
    WorkLeft,
)
from bot.report.page.diff import Line, diff_lines, is_diff, plain_lines, replaced_lines
from bot.report.page.output import Output, cut, whole
from bot.report.status import DOING, plural
from gherkin.values import Frozen
from runners.contract.events import (
    Advised,
    BaselineReached,
    Committed,
    Condensed,
    Instructed,
    ModelReplied,
    ModelRouted,
    ModelSwitched,
    NodeReported,
    PromptSent,
    Reviewed,
    SpecWritten,
    Surveyed,
    ToolCalled,
    VerdictReached,
)
from runners.contract.team_events import (
    CandidateBegun,
    CandidateChosen,
    CandidateEnded,
    CandidateStep,
    CandidateWork,
    Critiqued,
    PairEnded,
    PairTurn,
    PairTurnEnded,
    RevisionJudged,
)
from runners.policy.plaintext import without_controls

_SHORT = 120


class Item(Frozen):
    """One entry of the conversation.

    `kind` says how it looks: a phase's start, a reply, a tool call, or a note. `title` is one line, `mark`
    says whether a call went well. `text` is shown at once; `output` is folded. `facts` are small print.
    """

    seq: int
    at: str
    kind: Literal["phase", "reply", "call", "note"]
    title: str
    mark: Literal["", "ok", "failed", "denied"] = ""
    text: str = ""
    reasoning: str = ""
    output: Output | None = None
    facts: tuple[str, ...] = ()


def item(entry: Entry, *, full: bool = False) -> Item | None:
    """Return how the page shows an entry of the log; None for one that other parts of the page show.

    With `full` its output is not cut.
    """
    found = _described(entry.event)
    if found is None:
        return None
    if isinstance(entry.event, CandidateWork) and entry.event.candidate:
        found["title"] = f"Candidate {entry.event.candidate}: {found['title']}"
    lines = found.pop("lines", None)
    if lines:
        found["output"] = whole(lines) if full else cut(lines)
    return Item(seq=entry.seq, at=entry.at, **found)


def _described(event: Event) -> dict[str, Any] | None:
    match event:
        case PhaseStarted():
            title = f"{DOING[event.phase]} {event.node}".rstrip()
            return {"kind": "phase", "title": title.capitalize()}
        case ModelReplied():
            return _reply(event)
        case ToolCalled():
            return _call(event)
        case RunRequested():
            return _note(f"{event.order.requested_by} asked for this run")
        case Controlled():
            who = event.by or "Scenarist"
            return _note(f"{who} {_CONTROLLED[event.control].format(phase=event.phase)}", event.reason)
        case Instructed():
            return _note(f"{event.by} wrote while the run was on", event.text)
        case PromptSent():
            return _note(_PROMPTS[event.reason], lines=plain_lines(_clean(event.text)))
        case PhaseDelayed():
            return _note(f"Tried again after {event.seconds:.0f} s ({event.code})", event.reason)
        case PhaseFinished() if event.reason:
            said = f"{DOING[event.phase].capitalize()} {_ENDED.get(event.outcome, event.outcome)}"
            return _note(f"{said} ({event.code})" if event.code else said, event.reason)
        case ModelRouted():
            return _note(f"{event.runtime} is the {event.role}, by earlier results", event.reason)
        case ModelSwitched():
            return _note(f"{event.to} goes on as {event.role}", event.reason)
        case Condensed():
            text = event.summary or event.problem
            return _note("The conversation was shortened", lines=plain_lines(_clean(text)) if text else None)
        case Advised():
            return _note(f"Advice of {event.model or 'the navigator'}", event.text or event.problem)
        case Reviewed():
            said = event.problem or plural(len(event.remarks), "remark")
            return _note(f"{event.model or 'A second model'} read the change", said)
        case NodeReported():
            said = event.text or " ".join(each.text for each in event.findings)
            return _note(
                f"{event.node}: {'nothing to fix' if event.outcome == 'done' else 'something to fix'}", said
            )
        case PairTurn():
            what = {"test": f"the test {event.path}", "scenario": f"“{event.scenario}”"}.get(
                event.step, event.step
            )
            return _note(
                f"Step {event.number} of the pair: {what}, {event.driver} drives",
                event.reason or event.problem,
            )
        case PairTurnEnded():
            return _note(f"Step {event.number} of the pair: {event.outcome}")
        case PairEnded():
            who = f"{event.by}: {event.outcome}" if event.by else event.outcome
            return _note(f"The pair ended ({who})", f"Because {event.reason}.")
        case Critiqued():
            scored = ", ".join(f"{each.criterion} {each.score}" for each in event.scores)
            return _note(f"{event.model or 'A second model'} scored the change", event.problem or scored)
        case RevisionJudged():
            kept = "The revision is taken" if event.taken == "revision" else "The change before it stands"
            return _note(kept, f"Because {event.reason}.")
        case _:
            return _milestone(event)


def _milestone(event: Event) -> dict[str, Any] | None:
    match event:
        case BaselineReached():
            counted = ", ".join(f"{each.name}: {plural(each.counts.total, 'test')}" for each in event.suites)
            return _note("The old code was tested", counted or "There are no tests.")
        case SpecWritten():
            return _note(f"{plural(len(event.scenarios), 'scenario')} written and locked", event.path)
        case Committed():
            return _note(f"Committed {event.commit[:12]}", event.summary)
        case VerdictReached():
            return _note(f"The verdict is {event.verdict.status}")
        case CandidateBegun():
            return _note(f"Candidate {event.number} begins, by {event.runtime}", f"Because {event.reason}.")
        case CandidateStep():
            return _note(f"{event.phase} ended: {event.outcome.replace('_', ' ')}", event.reason)
        case CandidateEnded():
            return _note(f"Candidate {event.number} ended: {event.status}")
        case CandidateChosen():
            return _note(f"Candidate {event.number} is taken", f"Because {event.reason}.")
        case Published():
            return _note(f"Pull request {event.pull} shows commit {event.commit[:12]}")
        case PullEnded():
            return _note(
                f"Pull request {event.pull}: {_BECAME[event.became]}", f"By {event.by}." if event.by else ""
            )
        case WorkLeft():
            where = f"in draft pull request {event.pull}" if event.pull else "as a patch"
            return _note(f"Unproven work was kept {where}", event.reason)
        case Surveyed():
            return _note("The repository was looked at", event.problem or " ".join(event.seen))
        case Adjusted():
            limits = [f"{event.turns} turns" if event.turns else "", event.model]
            return _note(f"{event.by} changed the run: {', '.join(each for each in limits if each)}")
        case Superseded():
            return _note(f"A newer run began: {event.run}")
        case RunEnded():
            return _note(f"The run ended: {event.status.replace('_', ' ')}")
        case _:
            return None


_CONTROLLED = {
    "pause": "paused the run",
    "resume": "resumed the run",
    "cancel": "cancelled the run",
    "retry": "began again with {phase}",
    "respecify": "sent the scenarios back",
}
_ENDED = {
    "approval": "waits for an approval",
    "needs_info": "needs an answer",
    "gave_up": "ended: the run gave up",
    "failed": "failed",
    "cancelled": "was cancelled",
    "red": "found something to fix",
}
_BECAME = {
    "open": "opened again",
    "merged": "merged as it was",
    "edited": "merged after edits",
    "closed": "closed",
    "reverted": "reverted",
}
_PROMPTS = {
    "verdict": "The verifier's findings went back to the model",
    "nudge": "The model was reminded",
    "switch": "The next model was briefed",
    "comment": "The model was told what somebody wrote",
    "review": "The reviewer's remarks went to the model",
    "respecify": "The model was asked for new scenarios",
    "critique": "The critique went to the model",
    "pair": "The driver was told the next step",
    "node": "What an operator's node found went to the model",
    "survivors": "The model was shown faults that no test noticed",
}


def _note(title: str, text: str = "", lines: list[Line] | None = None) -> dict[str, Any]:
    return {"kind": "note", "title": title, "text": _clean(text), "lines": lines}


def _reply(event: ModelReplied) -> dict[str, Any]:
    usage = event.reply.usage
    facts = [f"{usage.prompt_tokens + usage.completion_tokens:,} tokens", f"{event.seconds:.1f} s"]
    if usage.cached_tokens:
        facts.append(f"{100 * usage.cached_tokens // max(1, usage.prompt_tokens)} % from the cache")
    if event.cost:
        facts.append(f"{event.cost:.4f} US dollars")
    if event.rescued:
        facts.append(f"calls found in its text ({event.rescued})")
    calls = [each.name for each in event.reply.tool_calls]
    text = _clean(event.reply.text)
    long = event.phase not in ("implement", "review", "critique", "navigate", "pair", "node", "lookup")
    return {
        "kind": "reply",
        "title": f"{event.reply.model or event.runtime or 'The model'} · {event.phase}",
        "text": "" if long else text or (f"Calls {', '.join(calls)}." if calls else ""),
        "lines": plain_lines(text) if long and text else None,
        "reasoning": _clean(event.reply.reasoning)[:20_000],
        "facts": tuple(facts),
    }


def _call(event: ToolCalled) -> dict[str, Any]:
    arguments = _arguments(event.call.arguments)
    facts = [f"{event.seconds:.1f} s"] if event.seconds >= 0.05 else []
    return {
        "kind": "call",
        "title": f"{event.call.name} {_summary(arguments)}".rstrip(),
        "mark": "denied" if event.denied else "ok" if event.ok else "failed",
        "lines": [*_asked(arguments), *_answered(event.text)],
        "facts": tuple(facts),
    }


def _arguments(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text or "{}")
    except ValueError:
        return {"arguments": text}
    return found if isinstance(found, dict) else {"arguments": text}


def _summary(arguments: dict[str, Any]) -> str:
    """Return the arguments that say what a call is about, on one line."""
    for name in ("path", "command", "pattern", "query", "url", "paths", "summary", "question", "arguments"):
        if arguments.get(name):
            flat = " ".join(_clean(str(arguments[name])).split())
            return flat if len(flat) <= _SHORT else f"{flat[: _SHORT - 1]}…"
    return ""


def _asked(arguments: dict[str, Any]) -> list[Line]:
    """Return what a call would change, as lines of a diff, where it is a change."""
    if isinstance(arguments.get("patch"), str):
        return diff_lines(_clean(arguments["patch"]))
    old, new = arguments.get("old"), arguments.get("new")
    if isinstance(old, str) and isinstance(new, str):
        return replaced_lines(_clean(old), _clean(new))
    content = arguments.get("content")
    return replaced_lines("", _clean(content)) if isinstance(content, str) else []


def _answered(text: str) -> list[Line]:
    clean = _clean(text).rstrip("\n")
    if not clean:
        return []
    return diff_lines(clean) if is_diff(clean) else plain_lines(clean)


def _clean(text: str) -> str:
    return without_controls(text.replace("\r\n", "\n"))
