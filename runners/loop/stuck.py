"""Notice that a model repeats itself, from its calls and their results."""

import hashlib
import json
import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

from runners.contract.events import ToolCalled

_SAME = 4
_SAME_FAILURE = 3
_ALTERNATING = 6
# Test runs with the same failures, between which no file was changed.
_SAME_RED = 3
# Edits one after the other that take most of the one before back.
_TAKEN_BACK = 2
_MOST = 0.7

StuckPattern = Literal["repeats", "fails", "alternates", "unchanged", "oscillates"]

_TESTS = frozenset({"run_tests", "rerun_failed", "run_check"})
# How long something took says nothing.
_SECONDS = re.compile(r"\d+(\.\d+)? ?(s|ms|seconds)\b")

HINTS: dict[StuckPattern, str] = {
    "repeats": "You have made the same call with the same result several times. The answer will not change: "
    "use what you know, look elsewhere, or call `finish` or `give_up`.",
    "fails": "The same call has failed several times in the same way. Read its error, check your assumption "
    "with another tool, and do something different.",
    "unchanged": "The same tests fail as before, and you have changed no file since. Read the failure "
    "again, and "
    "change the code before you run the tests another time.",
    "oscillates": "Your last edits undo each other. Read what fails and why, decide which of the two is "
    "right, "
    "and change something else.",
    "alternates": "You are alternating between two calls. Decide on one way and follow it to its end.",
}


def stuck_pattern(calls: Sequence[ToolCalled]) -> StuckPattern | None:
    """Return the pattern in which the newest calls repeat, or None.

    The patterns: the same call and result four times in a row; the same failing call three times; two calls
    that alternate six times; the same failing tests three times without a change between; edits that undo
    each other.
    """
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
    if last.call.name in _TESTS and _same_red(calls):
        return "unchanged"
    return "oscillates" if last.files_changed and _oscillates(calls) else None


def _same_red(calls: Sequence[ToolCalled]) -> bool:
    marks: list[str] = []
    for call in reversed(calls):
        if call.files_changed:
            break
        if call.call.name in _TESTS:
            if call.ok:
                break
            marks.append(_mark(call))
    return len(marks) >= _SAME_RED and len(set(marks[:_SAME_RED])) == 1


def _oscillates(calls: Sequence[ToolCalled]) -> bool:
    edits = [_edit(call) for call in calls if call.ok and call.call.name == "edit_file"][-_TAKEN_BACK - 1 :]
    if len(edits) <= _TAKEN_BACK or len({path for path, _, _ in edits}) > 1:
        return False
    return all(_takes_back(later, earlier) for earlier, later in pairwise(edits))


def _edit(call: ToolCalled) -> tuple[str, frozenset[str], frozenset[str]]:
    """Return the path of an edit, and the lines that it removed and added."""
    try:
        given = json.loads(call.call.arguments)
        path, old, new = str(given["path"]), str(given["old"]), str(given["new"])
    except (ValueError, LookupError, TypeError):
        return "", frozenset(), frozenset()
    before = {line.strip() for line in old.splitlines() if line.strip()}
    after = {line.strip() for line in new.splitlines() if line.strip()}
    return path, frozenset(before - after), frozenset(after - before)


def _takes_back(
    later: tuple[str, frozenset[str], frozenset[str]], earlier: tuple[str, frozenset[str], frozenset[str]]
) -> bool:
    _, gone, came = earlier
    back = len(later[1] & came) + len(later[2] & gone)
    return bool(gone or came) and back >= _MOST * (len(gone) + len(came))


def _mark(call: ToolCalled) -> str:
    """Return the same value for calls that say the same, whatever the order and spacing of their
    arguments.
    """
    try:
        arguments = json.dumps(json.loads(call.call.arguments or "{}"), sort_keys=True)
    except ValueError:
        arguments = call.call.arguments
    text = _SECONDS.sub("", call.text)
    return hashlib.sha256(f"{call.call.name}\0{arguments}\0{call.ok}\0{text}".encode()).hexdigest()
