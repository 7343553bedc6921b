"""The result of one run of a suite, and whether it can be used."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, NamedTuple

from runners.sandbox.process import CommandResult
from runners.verify.verdict import Counts, Failure, Outcome

Fault = Literal["", "timed-out", "untrusted", "unusable"]

# The exit code of pytest and unittest when there was nothing to run.
_NOTHING = 5


@dataclass(frozen=True)
class SuiteRun:
    """One run of one suite.

    If its results mean nothing, `broken` says why in a sentence, and `fault` is the kind of reason: it did
    not end, its report cannot be trusted, or it could not be run at all. `known` says that it was run for an
    earlier verdict. `texts` maps the name of each scenario to its steps as they ran. `contradicts` says that
    the exit code and the report do not agree. `replaced` are the names of functions of the test runner that
    the code under test has replaced.
    """

    command: str
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    failures: tuple[Failure, ...] = ()
    lines: dict[str, int] = field(default_factory=dict)
    exit_code: int | None = 0
    seconds: float = 0.0
    log: str = ""
    broken: str | None = None
    fault: Fault = ""
    known: bool = False
    replaced: tuple[str, ...] = ()
    texts: dict[str, tuple[str, ...]] = field(default_factory=dict)
    contradicts: bool = False

    @property
    def counts(self) -> Counts:
        values = list(self.outcomes.values())
        passed, skipped = values.count("passed"), values.count("skipped")
        return Counts(passed=passed, skipped=skipped, failed=len(values) - passed - skipped)

    def beside(self, **more: Any) -> "SuiteRun":
        """Return a copy of the run with other values for some fields."""
        return replace(self, **more)


class Judged(NamedTuple):
    """What is wrong with a whole run; the fields are those of `SuiteRun`."""

    fault: Fault = ""
    broken: str | None = None
    contradicts: bool = False


def judged(
    name: str,
    result: CommandResult,
    problem: str | None,
    outcomes: Mapping[str, Outcome],
    failures: Sequence[Failure],
    ends: Sequence[int] = (),
) -> Judged:
    """Return why the results of the suite `name` mean nothing; the result is empty if they can be used.

    `problem` says what is wrong with its report. `ends` are the exit codes of a suite that ran everything
    (empty: all).
    """
    if result.timed_out:
        return Judged("timed-out", f"{name} did not end within {result.duration_s:.0f} s")
    if result.disk_full or result.memory_full:
        what = "memory" if result.memory_full else "disk space, or made more files,"
        return Judged("unusable", f"{name} was stopped, because it used more {what} than allowed")
    if problem:
        return Judged("untrusted", f"{name}'s results cannot be trusted: {problem}")
    if result.exit_code == 0 and failures:
        said = "its exit code says that it passed, but it reported failures"
        return Judged("untrusted", f"{name}'s results cannot be trusted: {said}", contradicts=True)
    if ends and outcomes and result.exit_code not in ends:
        said = f"{name} stopped before it had run everything (exit {result.exit_code}): {tail(result.output)}"
        return Judged("unusable", said)
    if failures or result.exit_code in ((0,) if outcomes else (0, _NOTHING)):
        return Judged()
    if outcomes and result.exit_code in (1, _NOTHING):
        said = f"no test failed, and it ended with exit code {result.exit_code}: {tail(result.output)}"
        return Judged("untrusted", f"{name}'s results cannot be trusted: {said}", contradicts=True)
    return Judged(
        "unusable", f"{name} failed outside of any test (exit {result.exit_code}): {tail(result.output)}"
    )


def test_run(
    name: str,
    command: Sequence[str],
    result: CommandResult,
    entries: Sequence[Mapping[str, Any]],
    problem: str | None,
) -> SuiteRun:
    """Make the run of pytest or unittest from the records of its harness."""
    outcomes: dict[str, Outcome] = {entry["test"]: entry["outcome"] for entry in entries}
    failures = [
        Failure(test=entry["test"], message=entry["message"], path=entry["path"], line=entry["line"])
        for entry in entries
        if entry["outcome"] in ("failed", "error")
    ]
    if len(outcomes) < len(entries):
        problem = problem or "a test was reported twice"
    found = judged(name, result, problem, outcomes, failures, ends=(0, 1, _NOTHING))
    return suite_run(command, result, outcomes, failures, {}, found)


def suite_run(
    command: Sequence[str],
    result: CommandResult,
    outcomes: dict[str, Outcome],
    failures: list[Failure],
    lines: dict[str, int],
    found: Judged,
) -> SuiteRun:
    """Make a run from the command's result and the contents of its report."""
    return SuiteRun(
        command=command[0] if len(command) == 1 else shlex.join(command),
        outcomes=outcomes,
        failures=tuple(failures),
        lines=lines,
        exit_code=result.exit_code,
        seconds=result.duration_s,
        log=result.output,
        broken=found.broken,
        fault=found.fault,
        contradicts=found.contradicts,
    )


def unique(name: str, taken: Mapping[str, object], numbers: dict[str, int]) -> str:
    """Return `name`, with a number added if it is one of the names `taken`.

    `numbers` holds the last number of each name, so that many equal names take linear time.
    """
    unique = name
    number = numbers.get(name, 1)
    while unique in taken:
        number += 1
        unique = f"{name} ({number})"
    numbers[name] = number
    return unique


def tail(output: str, lines: int = 6) -> str:
    """Return the last `lines` lines of an output, joined to one line."""
    found = [line.strip() for line in output.splitlines() if line.strip()]
    return " / ".join(found[-lines:]) or "it printed nothing"


def summarise(run: SuiteRun, name: str, limit: int = 5) -> str:
    """Return a run in words for a model: counts, then the first `limit` failures, shortened."""
    if run.broken:
        return f"{name}: {run.broken}"
    if not run.outcomes:
        return f"{name}: nothing to run"
    counts = run.counts
    head = f"{name}: {counts.passed} passed, {counts.failed} failed, {counts.skipped} skipped"
    return "\n\n".join([head, *(describe_failure(failure) for failure in run.failures[:limit])])


def describe_failure(failure: Failure, limit: int = 1500) -> str:
    """Return a failure in words: name, place, and the last `limit` characters, which hold the assertion."""
    place = f" ({failure.path}:{failure.line})" if failure.line else ""
    message = failure.message.strip()
    if len(message) > limit:
        message = "[…] " + message[-limit:]
    return f"FAILED {failure.test}{place}\n{message}"
