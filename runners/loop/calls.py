"""Run the calls of one reply: reading ones in parallel, writing ones in order.

Each call is metered and audited.
"""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from gherkin.errors import Cancelled
from runners.contract.events import ToolCalled
from runners.loop.audit import Trail
from runners.models.chat import ToolCall
from runners.policy.protected import ATTRIBUTES, taken_back
from runners.policy.quota import Meter, Usage
from runners.sandbox.process import CommandResult
from runners.tools.base import Toolbox, ToolContext, ToolResult

_SIDE_BY_SIDE = 4


class Restorable(Protocol):
    """Files that have to stay as they were."""

    def put_back(self) -> Sequence[str]:
        """Undo changes of these files; returns their paths."""


class Caller:
    """The tools of one phase with what they work on; every call becomes an entry of the audit trail.

    `edited` returns a note on changed files, which is added to the answer. `kept` are the files that must
    stay as they were: they are restored after each call that could have changed them. `by` is the role that
    makes the calls, if it is not the driver.
    """

    def __init__(
        self,
        toolbox: Toolbox,
        context: ToolContext,
        trail: Trail,
        meter: Meter,
        edited: Callable[[Sequence[str]], str] = lambda _paths: "",
        kept: Restorable | None = None,
        by: str = "",
    ) -> None:
        self.toolbox = toolbox
        self._by = by
        self._edited = edited
        self._kept = kept
        self._context = context
        self._trail = trail
        self._meter = meter

    @property
    def context(self) -> ToolContext:
        """Return what the tools work on."""
        return self._context

    @property
    def audit_head(self) -> str:
        """Return the hash of the newest entry of the trail."""
        return self._trail.last

    @property
    def over(self) -> str | None:
        """Return the quota that is used up, in words, or None."""
        return self._meter.over()

    def lent(self, toolbox: Toolbox, by: str) -> "Caller":
        """Return a caller for the role `by` with its own tools, and with these quotas and this trail."""
        return Caller(toolbox, self._context, self._trail, self._meter, by=by)

    def count(self, result: CommandResult) -> None:
        """Count a command that ran outside of calls against the quotas."""
        self._meter.command(result)

    def run(self, calls: Sequence[ToolCall], cancel: threading.Event | None) -> list[ToolCalled]:
        """Run `calls` and return their entries in the same order. Raises `Cancelled` between two calls."""
        entries: list[ToolCalled] = []
        for group in _groups(calls, self.toolbox.writing):
            if cancel is not None and cancel.is_set():
                raise Cancelled
            if len(group) == 1:
                results = [self._timed(group[0])]
            else:
                with ThreadPoolExecutor(_SIDE_BY_SIDE) as pool:
                    results = list(pool.map(self._timed, group))
            entries += [self.entry(call, *result) for call, result in zip(group, results, strict=True)]
        return entries

    def entry(
        self, call: ToolCall, result: ToolResult, seconds: float = 0.0, commands: Usage | None = None
    ) -> ToolCalled:
        """Return the trail's entry for a call and its `result`, with the warning of a quota added to the
        answer.

        `commands` is what the commands of the call have used.
        """
        usage = self._meter.close(seconds, commands)
        warning = self._meter.warning()
        return self._trail.entry(
            ToolCalled(
                call=call,
                ok=result.ok,
                text=f"{result.text}\n{warning}" if warning else result.text,
                files_changed=result.files_changed,
                seconds=round(seconds, 3),
                capability=self.toolbox.capability(call.name),
                denied=result.denied,
                data=result.data,
                usage=usage,
                node=self._by,
            )
        )

    def put_back(self) -> str:
        """Undo changes of the files that must stay as they were; returns the note for the model."""
        paths = self._kept.put_back() if self._kept is not None else ()
        return taken_back(paths) if paths else ""

    def _can_write_anything(self, call: ToolCall, result: ToolResult) -> bool:
        """Return whether a call may have written what the file tools would have refused.

        File tools check paths, not contents; but for `.gitattributes` the content decides.
        """
        if call.name not in self.toolbox.writing:
            return False
        by_path = self.toolbox.capability(call.name).startswith("files.")
        return not by_path or any(path.lower().endswith(ATTRIBUTES) for path in result.files_changed)

    def _timed(self, call: ToolCall) -> tuple[ToolResult, float, Usage]:
        if self._meter.over() is not None:
            return ToolResult(ok=False, text="Not run: a quota of this run is used up."), 0.0, Usage()
        started = time.monotonic()
        self._meter.begin()
        try:
            result = self.toolbox.call(self._context, call)
            if result.files_changed and (said := self._edited(result.files_changed)):
                result = result.model_copy(update={"text": f"{result.text}\n{said}"})
            if self._can_write_anything(call, result) and (said := self.put_back()):
                result = result.model_copy(update={"text": f"{result.text}\n{said}", "denied": True})
        finally:
            used = self._meter.end()
        return result, time.monotonic() - started, used


def _groups(calls: Sequence[ToolCall], writing: frozenset[str]) -> Iterator[list[ToolCall]]:
    """Yield groups of successive calls that only read; each writing call is a group of its own."""
    group: list[ToolCall] = []
    for call in calls:
        if call.name in writing:
            if group:
                yield group
            yield [call]
            group = []
        else:
            group.append(call)
    if group:
        yield group
