"""Notices that a model goes round in circles: from the calls it made and what came of them."""

import hashlib
import json
from collections.abc import Sequence
from typing import Literal

from runners.events import ToolCalled

_SAME = 4
_SAME_FAILURE = 3
_ALTERNATING = 6

Advice = Literal["repeats", "fails", "alternates"]

HINTS: dict[Advice, str] = {
    "repeats": "You have made the same call with the same result several times. The answer will not change: "
    "use what you know, look elsewhere, or call `finish` or `give_up`.",
    "fails": "The same call has failed several times in the same way. Read its error, check your assumption "
    "with another tool, and do something different.",
    "alternates": "You are going back and forth between two calls. Decide on one way and follow it to its end.",
}


def circling(calls: Sequence[ToolCalled]) -> Advice | None:
    """What is wrong with the newest calls, if anything: the same call and result four times in a row, the
    same failing call three times, or two calls that alternate six times."""
    marks = [_mark(call) for call in calls[-_ALTERNATING:]]
    last = calls[-1] if calls else None
    if last is None:
        return None
    if not last.ok and len(marks) >= _SAME_FAILURE and len(set(marks[-_SAME_FAILURE:])) == 1:
        return "fails"
    if len(marks) >= _SAME and len(set(marks[-_SAME:])) == 1:
        return "repeats"
    if (
        len(marks) == _ALTERNATING
        and len(set(marks)) == 2
        and len(set(marks[::2])) == len(set(marks[1::2])) == 1
    ):
        return "alternates"
    return None


def _mark(call: ToolCalled) -> str:
    """The same for calls that say the same, whatever the order and spacing of their arguments."""
    try:
        arguments = json.dumps(json.loads(call.call.arguments or "{}"), sort_keys=True)
    except ValueError:
        arguments = call.call.arguments
    return hashlib.sha256(f"{call.call.name}\0{arguments}\0{call.ok}\0{call.text}".encode()).hexdigest()
