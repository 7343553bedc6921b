"""The content of the status comment: what the run is doing, since when, and what comes next."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import get_args

import yaml

from bot.log.events import APPROVAL, COMPANIONS, ONBOARDING, Phase
from bot.log.state import PhaseTime, RunState
from bot.report.escape import code, inline, sentence
from bot.report.proof import proven_text
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
ENDINGS: Mapping[str, str] = {
    "needs_info": "is waiting for an answer",
    "gave_up": "gave up",
    "failed": "could not go on",
    "paused": "is paused",
    "cancelled": "was cancelled",
}
_SUPERSEDED: Mapping[str, str] = {**ENDINGS, "needs_info": "asked a question"}
_LOGIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")


@dataclass(frozen=True)
class StatusRow:
    """One row: the step's name, a mark, and a note (Markdown)."""

    name: str
    mark: str
    note: str


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
        return f"{ENDINGS.get(state.status, 'has finished')}."
    if is_stopping(state):
        return f"{ENDINGS['cancelled']}."
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
