"""Quotas of tools in a run and in each of its phases, and the count of what the tools have used."""

import threading
from collections.abc import Iterable

from pydantic import Field

from gherkin.values import Frozen
from runners.sandbox.process import CommandResult

_SOFT = 0.8


class Quotas(Frozen):
    """Bounds of all tool calls together.

    A model is warned at four fifths of one; reaching one ends the work.
    """

    tool_calls: int = Field(default=500, ge=1, description="The most tool calls.")
    tool_seconds: float = Field(
        default=3600, gt=0, description="The most wall time of tool calls, in seconds."
    )
    cpu_seconds: float = Field(
        default=7200, gt=0, description="The most processor time of commands, in seconds."
    )
    output_mb: float = Field(default=1000, gt=0, description="The most output of commands, in MiB.")
    disk_mb: float = Field(
        default=4096, gt=0, description="The most that commands add to the workspace, in MiB."
    )
    memory_mb: float = Field(
        default=16384, gt=0, description="The largest size of one process of a command, in MiB."
    )

    def within(self, other: "Quotas") -> "Quotas":
        """Return the smaller value of both for each bound."""
        mine, theirs = self.model_dump(), other.model_dump()
        return Quotas.model_validate({name: min(mine[name], theirs[name]) for name in mine})


class Usage(Frozen):
    """What was used, in the units of `Quotas`; `memory_mb` and `disk_mb` are the largest measured values."""

    tool_calls: int = 0
    tool_seconds: float = 0.0
    cpu_seconds: float = 0.0
    output_mb: float = 0.0
    disk_mb: float = 0.0
    memory_mb: float = 0.0

    def plus(self, other: "Usage") -> "Usage":
        return Usage(
            tool_calls=self.tool_calls + other.tool_calls,
            tool_seconds=round(self.tool_seconds + other.tool_seconds, 3),
            cpu_seconds=round(self.cpu_seconds + other.cpu_seconds, 3),
            output_mb=round(self.output_mb + other.output_mb, 4),
            disk_mb=max(self.disk_mb, other.disk_mb),
            memory_mb=max(self.memory_mb, other.memory_mb),
        )

    def over(self, quotas: Quotas, share: float = 1.0) -> list[str]:
        """Return, in words, the bounds of which at least `share` (1.0: all) is used."""
        limits = quotas.model_dump()
        return [
            f"{limit:g} {name.replace('_mb', ' MiB').replace('_', ' ')}"
            for name, limit in limits.items()
            if getattr(self, name) >= share * limit
        ]


class Meter:
    """Counts what the tools of one phase use, in addition to what its run has used before.

    Calls may run in parallel, each in a thread of its own between `begin` and `end`. If a command runs in
    another thread, such as a server in the background, its use counts for the call that is closed next.
    """

    def __init__(self, quotas: Quotas, phase: Quotas, before: Iterable[Usage] = ()) -> None:
        self._quotas = {"run": quotas, "phase": phase}
        self._used = {"run": Usage(), "phase": Usage()}
        for usage in before:
            self._used["run"] = self._used["run"].plus(usage)
        self._open = Usage()
        self._calls: dict[int, Usage] = {}
        self._warned: set[str] = set()
        self._lock = threading.Lock()

    def begin(self) -> None:
        """Start a call in this thread: what the thread's commands use counts for this call."""
        with self._lock:
            self._calls[threading.get_ident()] = Usage()

    def end(self) -> Usage:
        """Return what the commands of this thread's call have used."""
        with self._lock:
            return self._calls.pop(threading.get_ident(), Usage())

    def command(self, result: CommandResult) -> None:
        """Count a command that has ended."""
        usage = Usage(
            cpu_seconds=result.cpu_s,
            output_mb=result.output_bytes / (1 << 20),
            memory_mb=result.memory_mb,
            disk_mb=result.disk_mb,
        )
        me = threading.get_ident()
        with self._lock:
            if me in self._calls:
                self._calls[me] = self._calls[me].plus(usage)
            else:
                self._open = self._open.plus(usage)

    def close(self, seconds: float, commands: Usage | None = None) -> Usage:
        """Count a call that took `seconds` and whose commands used `commands`; returns what it used."""
        with self._lock:
            usage = self._open.plus(commands or Usage()).plus(Usage(tool_calls=1, tool_seconds=seconds))
            self._open = Usage()
            self._used = {scope: used.plus(usage) for scope, used in self._used.items()}
        return usage

    def warning(self) -> str | None:
        """Return a note to the model about quotas that are nearly used up; each is named only once."""
        near = {
            f"{bound} of this {scope}"
            for scope, used in self._used.items()
            for bound in used.over(self._quotas[scope], _SOFT)
        }
        new = sorted(near - self._warned)
        self._warned |= near
        return f"[quota: four fifths of the {', '.join(new)} are used. Come to an end.]" if new else None

    def over(self) -> str | None:
        """Return the quota that is used up, in words, or None."""
        for scope, used in self._used.items():
            for bound in used.over(self._quotas[scope]):
                return f"quota of {bound} a {scope}"
        return None
