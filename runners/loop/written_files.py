"""Return the diff of the work without new files that the model has just written: the conversation has
their text.
"""

import json
import re
from collections.abc import Iterable

from runners.contract.events import Condensed, RunnerEvent, ToolCalled

_SECTION = re.compile(r"^(?=diff --git )", re.MULTILINE)
_PATH = re.compile(r"^diff --git a/.* b/(?P<path>.*)$", re.MULTILINE)


def without_written(diff: str, events: Iterable[RunnerEvent]) -> str:
    """Return `diff` with one line in the place of each new file that is still as the model wrote it.

    `events` are those of the conversation. Files that were written before the conversation was condensed are
    shown.
    """
    written = _written(events)
    return "".join(_shown(section, written) for section in _SECTION.split(diff))


def _written(events: Iterable[RunnerEvent]) -> dict[str, str]:
    """Return path -> the text that the model's last `write_file` gave it."""
    found: dict[str, str] = {}
    for event in events:
        if isinstance(event, Condensed):
            found.clear()
        elif isinstance(event, ToolCalled) and event.ok and event.call.name == "write_file":
            try:
                arguments = json.loads(event.call.arguments)
            except ValueError:
                continue
            if isinstance(arguments, dict) and isinstance(arguments.get("content"), str):
                found[str(arguments.get("path"))] = arguments["content"]
    return found


def _shown(section: str, written: dict[str, str]) -> str:
    head, mark, body = section.partition("\n@@ ")
    named = _PATH.match(head)
    if not mark or named is None or "\nnew file mode " not in head:
        return section
    lines = [line for line in body.split("\n")[1:] if line]
    text = [line.removeprefix("+") for line in lines]
    same = written.get(named["path"], "").rstrip("\n").split("\n") == text
    if not same or not all(line.startswith("+") for line in lines):
        return section
    count = f"{len(text)} line{'' if len(text) == 1 else 's'}"
    return f"{head.splitlines()[0]}\n(new file, {count}, exactly as you wrote it)\n"
