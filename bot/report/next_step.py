"""What people need of a run that ended without a result: the findings, the work, and the next step."""

import re
from dataclasses import dataclass

from bot.log.events import BESIDE
from bot.log.state import RunState
from bot.report.escape import sentence
from bot.report.status import ENDINGS, plural
from gherkin.errors import ScenaristError, all_errors
from runners.contract.budget import MAX_TURNS

# Errors that people of the repository cannot do anything about.
_OPERATORS = re.compile(r"SCN-(?:0000|1103|300\d|3101|3102|400\d|60\d\d|61\d\d|70(?!02)\d\d)")
# A run that revises a pull request was not begun by a label.
_ASK_AGAIN = "ask for the change in a new review"
_SET_LABEL = re.compile(r"\bset the label again\b", re.IGNORECASE)


@dataclass(frozen=True)
class Ending:
    """How a run without a pull request ended, in Markdown sentences; `found` is not escaped yet."""

    tried: str
    found: str
    next: str


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
    return ENDINGS.get(ended, ENDINGS["failed"]), _found(state)[0]


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


def _ended_in(state: RunState) -> str:
    """Return the phase in which a run ended, as a retry names it; empty if it has ended in none."""
    phase = next((each.phase for each in reversed(state.finished) if each.phase != "conclude"), "")
    return next((host for host, other in BESIDE.items() if other == phase), phase)


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
