"""The remarks of a review: those that the model has to answer, and suggestions that are applied as they
are.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from runners.contract.events import RunnerEvent, ToolCalled
from runners.contract.workorder import OrderThread, WorkOrder
from runners.loop.agent import Ended
from runners.policy.plaintext import one_line

# A `finish` whose answers are not complete is answered with a text that begins so, once.
UNANSWERED = "Not passed on yet: "
# The review's own text counts as a thread of this id.
REVIEW = 0
# GitLab's form names the lines above and below the remark's own.
# https://docs.gitlab.com/user/project/merge_requests/reviews/suggestions/
_SUGGESTION = re.compile(
    r"^(?P<fence>`{3,}|~{3,})suggestion(?::-(?P<above>\d+)\+(?P<below>\d+))?[^\n]*\n"
    r"(?P<text>.*?)^(?P=fence)[ \t]*$",
    re.DOTALL | re.MULTILINE,
)
_MAX_REACH = 100  # lines above or below, GitLab's own limit


@dataclass(frozen=True)
class Suggestion:
    """Lines `first` to `last` (from 1) of `path` in `commit` become `text`, which may be empty."""

    thread: int
    path: str
    first: int
    last: int
    commit: str
    text: str


def suggestions(order: WorkOrder) -> list[Suggestion]:
    """Return the newest suggestion of each thread of a review."""
    found = [_suggested(thread) for thread in order.seen.threads]
    return [each for each in found if each is not None]


def _suggested(thread: OrderThread) -> Suggestion | None:
    blocks = [block for said in thread.comments for block in _SUGGESTION.finditer(said.body)]
    if not blocks or not thread.line or not thread.path:
        return None
    block = blocks[-1]
    first, last = thread.start or thread.line, thread.line
    if block["above"] is not None:
        first = thread.line - min(int(block["above"]), _MAX_REACH)
        last = thread.line + min(int(block["below"]), _MAX_REACH)
    return Suggestion(thread.id, thread.path, first, last, thread.commit, block["text"])


def replaced(content: str, suggested: Sequence[Suggestion]) -> str | None:
    """Return the text of a file with its suggestions applied; None if two overlap or lines are missing."""
    lines = content.splitlines(keepends=True)
    ending = "\r\n" if lines and lines[0].endswith("\r\n") else "\n"
    before = len(lines) + 1
    for each in sorted(suggested, key=lambda one: one.first, reverse=True):
        if not 1 <= each.first <= each.last < before:
            return None
        lines[each.first - 1 : each.last] = [line + ending for line in each.text.splitlines()]
        before = each.first
    return "".join(lines)


def asked(order: WorkOrder) -> list[int]:
    """Return the ids of the threads that need an answer; `REVIEW` is the review's own text."""
    return [*([REVIEW] if order.review_body.strip() else []), *(thread.id for thread in order.threads)]


def incomplete(order: WorkOrder, ended: Ended, events: Sequence[RunnerEvent]) -> str:
    """Return what is wrong with the answers of a `finish`; empty if nothing is, or if that was said
    before.
    """
    if any(isinstance(each, ToolCalled) and each.text.startswith(UNANSWERED) for each in events):
        return ""
    known = asked(order)
    unknown = [str(each) for each in ended.answers if each not in known]
    missing = [str(each) for each in known if not ended.answers.get(each, "").strip()]
    if not unknown and not missing:
        return ""
    parts = [f"there is no review thread {', '.join(unknown)}." if unknown else ""]
    parts.append(f"the review has no answer in {_named(missing)}." if missing else "")
    wanted = (
        " Call `finish` again with one answer for each; `done` is false where you declined, with the reason."
    )
    return UNANSWERED + " ".join(filter(None, parts)) + wanted


def _named(threads: Sequence[str]) -> str:
    named = ", ".join(
        "its own text (thread 0)" if each == str(REVIEW) else f"thread {each}" for each in threads
    )
    return one_line(named, 500)
