"""The content of the status comment: what the run is doing, since when, what comes next, and what somebody
has to do."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import get_args

import yaml

from bot.log.events import APPROVAL, BESIDE, COMPANIONS, ONBOARDING, Phase
from bot.log.state import PhaseTime, RunState
from bot.report.escape import code, inline, sentence
from bot.report.proof import proven_text
from gherkin.errors import ScenaristError, all_errors
from runners.contract.budget import MAX_TURNS
from runners.contract.events import BaselineReached, BaseSuite
from runners.contract.workorder import WorkOrder

DOING: Mapping[Phase, str] = {
    "prepare": "fetching the repository",
    "specify": "writing the scenarios",
    "baseline": "running the tests on the old code",
    "implement": "writing the code",
    "verify": "verifying the change",
    "publish": "opening the pull request",
    "survey": "running the tests",
    "propose": "opening the pull request",
    "conclude": "writing its report",
    "node": "checking the change with",
}
_STEPS: Mapping[Phase, str] = {
    "prepare": "Fetch the repository",
    "specify": "Write the scenarios",
    "baseline": "Run the tests on the old code",
    "implement": "Write the code",
    "verify": "Verify the change",
    "publish": "Open the pull request",
    "survey": "Make the environment and run the tests",
    "propose": "Open the pull request",
}
_NEXT: Mapping[Phase, str] = {
    "prepare": "the scenarios are written, before any code",
    "specify": "the code is written until the scenarios pass",
    "baseline": "the code is written until the scenarios pass",
    "implement": "every scenario and test is run in a clean checkout",
    "verify": "a pull request is opened if everything holds; otherwise the findings go back to the model",
    "publish": "somebody reviews the pull request",
    "survey": "a pull request with a configuration is opened",
    "propose": "somebody merges or closes the pull request",
    "conclude": "this comment says what came of it",
    "node": "the run goes on if the check finds nothing to fix",
}
_NEXT_OF_REVISION = (
    "the pull request is updated if everything holds; otherwise the findings go back to the model"
)
_ENDINGS: Mapping[str, str] = {
    "needs_info": "is waiting for an answer",
    "gave_up": "gave up",
    "failed": "could not go on",
    "paused": "is paused",
    "cancelled": "was cancelled",
}
_SUPERSEDED: Mapping[str, str] = {**_ENDINGS, "needs_info": "asked a question"}
# Errors that people of the repository cannot do anything about.
_OPERATORS = re.compile(r"SCN-(?:0000|1103|300\d|3101|3102|400\d|60\d\d|61\d\d|70(?!02)\d\d)")
_LOGIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")


@dataclass(frozen=True)
class StatusRow:
    """One row: the step's name, a mark, and a note (Markdown)."""

    name: str
    mark: str
    note: str


@dataclass(frozen=True)
class Ending:
    """How a run without a pull request ended, in Markdown sentences; `found` is not escaped yet."""

    tried: str
    found: str
    next: str


def headline(state: RunState, pull_sign: str = "#") -> str:
    """Return the first sentence, without its subject, the bot's name (Markdown).

    `pull_sign` stands before the number of a pull request.
    """
    if state.published is not None and state.status == "done":
        proven = f": {proven_text(state.verdict)}" if state.verdict else ""
        draft = " as a draft" if state.opens_draft and _did(state) == "opened" else ""
        became = f" {became_text(state)}" if state.ended_pull else ""
        return f"{_did(state)} {pull_sign}{state.published.pull}{draft}{proven}.{became}"
    if state.waits_for_approval:
        what = "the run needs" if state.waits_at_node else "the scenarios need"
        return f"is waiting for an answer: {what} an approval."
    if state.superseded_by:
        return f"{_SUPERSEDED.get(state.status, 'has finished')}; a newer run has begun."
    if state.status != "active":
        return f"{_ENDINGS.get(state.status, 'has finished')}."
    if is_stopping(state):
        return f"{_ENDINGS['cancelled']}."
    if not state.times:
        return "has queued this."
    at = _at(state)
    doing = _doing(state, at.phase) + (f" {inline(state.node, 60)}" if at.phase == "node" else "")
    return f"is {doing}{_round(state)}, since {clock(at.started)}."


def _doing(state: RunState, phase: Phase) -> str:
    revises = state.requested is not None and state.requested.order.kind == "revise"
    return "updating the pull request" if revises and phase == "publish" else DOING[phase]


def _did(state: RunState) -> str:
    """Return what a run that has published did with the pull request, in words in front of its number."""
    order = state.requested.order if state.requested else None
    if order is None or order.kind != "revise":
        return "opened"
    if order.rebase:
        return "brought the newest commits of the base into"
    return "repaired" if order.failed_jobs else "revised"


def about_text(order: WorkOrder) -> str:
    """Return what a revision is for that no review asked for, in a sentence (Markdown); empty for other
    runs.
    """
    if order.rebase:
        return "The task is to bring the branch up to date with its base."
    if order.failed_jobs:
        jobs = ", ".join(code(job.name, 100) for job in order.failed_jobs)
        return f"The task is to repair the CI: {jobs} failed."
    return ""


def _round(state: RunState) -> str:
    """Return which candidate and which round of it the run is at; empty at the beginning."""
    if state.candidate is not None:
        begun = state.candidate
        return f" (candidate {begun.number}, by {inline(begun.runtime, 100)})"
    if not state.spent.rounds:
        return ""
    number = state.spent.rounds + 1
    # After a retry there may be more than that.
    most = f" of at most {_rounds(state)}" if number <= _rounds(state) else ""
    return f", round {number}{most}"


def became_text(state: RunState) -> str:
    """Return what became of the pull request on the forge, in a sentence; empty as long as it is open."""
    ended = state.ended_pull
    if ended is None or ended.became == "open":
        return ""
    by = f" by {inline(ended.by, 100)}" if ended.by else ""
    match ended.became:
        case "merged":
            return f"It was merged{by} as it was."
        case "edited":
            edits = f"{plural(ended.edits, 'commit')} of others" if ended.edits else "others had changed it"
            return f"It was merged{by} after {edits}."
        case "closed":
            return f"It was closed{by} without a merge."
        case _:
            return f"It was merged, and later reverted{by}."


def next_text(state: RunState) -> str:
    """Return what comes next, in a sentence; empty if the text about the run's end says it."""
    if state.status != "active" or not state.times or is_stopping(state):
        return ""
    phase = _at(state).phase
    if phase == "verify" and state.requested is not None and state.requested.order.kind == "revise":
        return f"Next, {_NEXT_OF_REVISION}."
    return f"Next, {_NEXT[phase]}."


def is_stopping(state: RunState) -> bool:
    """Return whether the run is cancelled and only has to be concluded."""
    return state.status == "active" and bool(state.finished) and state.finished[-1].outcome == "cancelled"


def _at(state: RunState) -> PhaseTime:
    """Return where the run is: the newest phase that is on, but for what is done beside another one."""
    own = [each for each in state.times if each.phase not in COMPANIONS]
    return next(
        (each for each in reversed(own) if not each.ended),
        next((each for each in reversed(state.times) if not each.ended), state.times[-1]),
    )


def steps(state: RunState, pull_sign: str = "#") -> list[StatusRow]:
    """Return the steps of the run, with the results of those that have ended."""
    onboards = state.requested is not None and state.requested.order.kind == "onboard"
    left_out = set(_STEPS) - ONBOARDING - {"prepare"} if onboards else ONBOARDING
    revises = state.requested is not None and state.requested.order.kind == "revise"
    called = {**_STEPS, "publish": "Update the pull request"} if revises else _STEPS
    names = [name for name in get_args(Phase) if name not in ("conclude", "node") and name not in left_out]
    return [StatusRow(called[name], *_standing(state, name, pull_sign)) for name in names]


def ending(
    state: RunState, *, comments: bool, label: str, on_page: bool = False, pull_sign: str = "#"
) -> Ending | None:
    """Return what people need of a run that ended without a pull request; None for any other.

    `on_page` says that it stands on the page of the run and not in a comment.
    """
    if state.status not in ("needs_info", "gave_up", "failed"):
        return None
    found, advice = _found(state)
    todo = "Nothing here: the newer run knows what this one asked, was told and found."
    if not state.superseded_by:
        todo = _todo(state, advice, comments=comments, label=label, pull_sign=pull_sign)
    if on_page:
        kind = "pull request" if state.requested and state.requested.order.kind == "revise" else "issue"
        todo = todo.replace("Answer here:", f"Answer on the {kind}:").replace("patch below", "change below")
    return Ending(tried=_tried(state), found=found, next=todo)


def why_ended(state: RunState) -> tuple[str, str]:
    """Return (what happened, why) of a run that is ending without a result. The reason is not escaped yet."""
    ended = next((each.outcome for each in reversed(state.finished) if each.phase != "conclude"), "")
    return _ENDINGS.get(ended, _ENDINGS["failed"]), _found(state)[0]


def unfinished_next(state: RunState, *, comments: bool, label: str) -> str:
    """Return what people can do with the draft of work that was not proven, in sentences (Markdown)."""
    number = state.requested.order.number if state.requested else 0
    again = f"{label_again(state, label)} on the issue: a new run then begins on a new branch"
    phase = next((each.phase for each in reversed(state.finished) if each.phase != "conclude"), "implement")
    retry = "implement" if phase == "verify" else phase
    go_on = (
        f"comment `/agent retry {retry}` on #{number}: the run then continues from this work"
        if comments
        else again
    )
    return (
        f"Finish it by hand on this branch, or {go_on}. Once the work is proven, the proof "
        "replaces this text. If you do not want the work, close the pull request."
    )


def work_text(run_id: str, state: RunState, pull_sign: str = "#") -> str:
    """Return where the work of a run that ended without a result is, in sentences (Markdown)."""
    left = state.left
    if left is None:
        kept = state.committed is not None
        return "in the database of this Scenarist, under the run's id." if kept else "nothing was changed."
    if left.pull is not None:
        return f"in the draft {pull_sign}{left.pull}, which says what is missing. It is not proven."
    return (
        f"in the patch below instead of a draft pull request, because {sentence(left.reason).rstrip('.')}. "
        f"`scenarist patch {run_id}` prints all of it."
    )


def how_to_answer(state: RunState, *, comments: bool, label: str) -> str:
    """Return how somebody answers the run's question, in a sentence (Markdown)."""
    revises = state.requested is not None and state.requested.order.kind == "revise"
    if not comments and revises:
        return "Write the answer into a new review of the pull request."
    if not comments:
        return f"Write the answer into the issue, then {label_again(state, label)}."
    if revises:
        return "Answer here: a plain comment is enough. A new revision then begins with your answer."
    return "Answer here: a plain comment is enough. A new run then begins with your answer."


def label_again(state: RunState, label: str) -> str:
    """Return how somebody asks for a new run with a label, which the run may have taken off (Markdown)."""
    taken_off = state.prepared is not None and state.settings.labels.pick_up == "remove"
    return f"set the label `{label}` again" if taken_off else f"remove the label `{label}` and set it again"


def mention(login: str) -> str:
    """Return `login` so that the forge notifies them, if it is the name of a person."""
    return f"@{login}" if _LOGIN.fullmatch(login) else inline(login, 100)


def clock(at: str) -> str:
    """Return an ISO 8601 time as people read it, in UTC."""
    return f"{datetime.fromisoformat(at):%H:%M} UTC" if at else ""


def _rounds(state: RunState) -> int:
    return state.prepared.settings.budget.rounds if state.prepared else 0


def _standing(state: RunState, name: Phase, pull_sign: str) -> tuple[str, str]:
    """Return (mark, note) of a phase."""
    times = [each for each in state.times if each.phase == name]
    ended = [each for each in state.finished if each.phase == name]
    beside = name in COMPANIONS
    newest = [each for each in state.times if beside or each.phase not in COMPANIONS]
    current = bool(times) and (not times[-1].ended if beside else newest[-1] is times[-1])
    if state.status == "active" and current and state.delayed is not None and not beside:
        return "⏳", f"tried again after {state.delayed.seconds:.0f} s: {sentence(state.delayed.reason)}"
    if state.status == "active" and current and not times[-1].ended:
        return "▶️", f"since {clock(times[-1].started)}"
    if not ended:
        stopped = current and state.status == "paused"
        return ("⏸️", "stopped here") if stopped else ("", "")
    outcome = ended[-1].outcome
    last = _is_last(state, name)
    if last and (outcome == "needs_info" or (outcome == APPROVAL and not state.approved_by)):
        return "✋", "a question was asked" if state.superseded_by else "waiting for an answer"
    if outcome == "red":
        return "↩️", f"sent back with {_problems(state)}"
    if outcome == "critique":
        return "↩️", "the change is revised after a critique"
    if outcome == "candidate":
        return "↩️", "another candidate begins"
    if outcome == "respecify":
        return "↩️", "the scenarios are written again"
    if outcome == "cancelled":
        return "⏹️", "cancelled here"
    if outcome in ("gave_up", "failed", "needs_info"):
        return "❌", "ended here"
    return "✅", "; ".join(part for part in (_result(state, name, pull_sign), _took(times[-1])) if part)


def _is_last(state: RunState, name: Phase) -> bool:
    before = [each for each in state.finished if each.phase != "conclude"]
    return bool(before) and before[-1].phase == name


def _result(state: RunState, name: Phase, pull_sign: str) -> str:
    if name == "specify" and state.spec is not None:
        note = (
            f"{plural(len(state.spec.scenarios), 'scenario')}"
            if state.spec.path
            else "documentation needs none"
        )
        return note + (f", approved by {inline(state.approved_by, 100)}" if state.approved_by else "")
    if name == "baseline" and state.baseline is not None:
        return baseline_text(state.baseline)
    if name == "verify" and state.verdict is not None and state.verdict.scenarios:
        proven = sum(proof.proven for proof in state.verdict.scenarios)
        return f"{proven} of {plural(len(state.verdict.scenarios), 'scenario')} proven"
    if name == "publish" and state.published is not None:
        return f"{pull_sign}{state.published.pull}"
    return ""


def baseline_text(baseline: BaselineReached) -> str:
    """Return the results of the suites without the change, in a line (Markdown)."""
    seconds = f"environment in {baseline.environment_s:.0f} s"
    suites = [f"{inline(each.name)}: {_suite_text(each)}" for each in baseline.suites]
    return "; ".join([*(suites or ["no tests"]), seconds])


def setup_text(baseline: BaselineReached) -> str:
    """Return the commands of the set-up that a model found, as YAML for `.scenarist.yml`; empty if it
    found none.
    """
    if not baseline.setup:
        return ""
    return yaml.safe_dump({"setup": list(baseline.setup)}, sort_keys=False, width=1000, allow_unicode=True)


def _suite_text(suite: BaseSuite) -> str:
    if suite.problem:
        return sentence(suite.problem)
    fail = f", {suite.counts.failed} of them failing" if suite.counts.failed else ""
    return f"{plural(suite.counts.total, 'test')}{fail}"


def _problems(state: RunState) -> str:
    return plural(len(state.verdict.problems), "finding") if state.verdict else "its findings"


def _took(time: PhaseTime) -> str:
    if not time.ended:
        return ""
    seconds = (datetime.fromisoformat(time.ended) - datetime.fromisoformat(time.started)).total_seconds()
    if seconds < 1:
        return ""
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"


def plural(number: int, word: str) -> str:
    """Return `number` and `word`, in the plural unless it is one."""
    return f"{number} {word}{'' if number == 1 else 's'}"


def _tried(state: RunState) -> str:
    if not state.spent.turns:
        return "No model was asked."
    verdicts = f" and {plural(state.spent.rounds, 'verification')}" if state.spent.rounds else ""
    return f"{plural(state.spent.turns, 'turn')} of the model{verdicts}."


def _found(state: RunState) -> tuple[str, str]:
    """Return (what was found, the next step that goes with the error's code)."""
    errors: list[type[ScenaristError]] = [ScenaristError, *all_errors()]
    advice = next((each.next_step for each in errors if each.code == state.code), "")
    found = state.reason
    if advice and found.endswith(advice):
        found = found[: -len(advice)].strip()
    return (f"{state.code}: " if state.code else "") + found, advice


# A run that revises a pull request was not begun by a label.
_ASK_AGAIN = "ask for the change in a new review"
_SET_LABEL = re.compile(r"\bset the label again\b", re.IGNORECASE)


def _todo(state: RunState, advice: str, *, comments: bool, label: str, pull_sign: str) -> str:
    if state.status == "needs_info":
        return how_to_answer(state, comments=comments, label=label)
    revises = state.requested is not None and state.requested.order.kind == "revise"
    again = _ASK_AGAIN if revises else label_again(state, label)
    if state.status == "failed":
        broken = _ended_in(state)
        retry = f"comment `/agent retry {broken}`" if comments and broken else again
        who = "The operator of this Scenarist has to act: " if _OPERATORS.match(state.code) else ""
        if not advice:
            return f"{who}{retry[0].upper()}{retry[1:]}."
        if revises:
            advice = _SET_LABEL.sub(_ASK_AGAIN, advice)
        asks = "label" in advice or "/agent " in advice or _ASK_AGAIN in advice
        return f"{who}{sentence(advice, 500)}{'' if asks else f' Then {retry}.'}"
    used_up = state.spent.over(state.settings.budget)
    if used_up is not None:
        return _with_more(state, again, comments=comments)
    if state.requested is not None and state.requested.order.rebase:
        retry = ", or comment `/agent rebase` to have it tried again" if comments else ""
        return f"Bring the branch up to date by hand{retry}."
    if revises:
        return "Say in a new review, or in a comment that begins with `/agent revise`, what to do instead."
    if comments and (state.committed is not None or state.left is not None):
        pull = state.left.pull if state.left else None
        place = f"in the draft {pull_sign}{pull}" if pull else "with the patch below"
        return f"Comment `/agent retry implement` to continue from this work, or finish it by hand {place}."
    return f"Say more in the issue, then {again}."


def _ended_in(state: RunState) -> str:
    """Return the phase in which a run ended, as a retry names it; empty if it has ended in none."""
    phase = next((each.phase for each in reversed(state.finished) if each.phase != "conclude"), "")
    return next((host for host, other in BESIDE.items() if other == phase), phase)


def _with_more(state: RunState, again: str, *, comments: bool) -> str:
    """Return what people can do when a bound of the run's budget is reached, in sentences (Markdown)."""
    budget, phase = state.settings.budget, _ended_in(state)
    if comments and state.spent.turns >= budget.turns and 2 * budget.turns <= MAX_TURNS:
        retry = "implement" if phase in ("", "verify") else phase
        return (
            "To let this run continue with more turns, write a comment with these two lines: "
            f"`/agent budget {2 * budget.turns}` and `/agent retry {retry}`."
        )
    return f"Raise the limit under `budget` in `.scenarist.yml` on the default branch, then {again}."
