"""What the runs of a suite leave unsaid: a verdict is not simply green when most of a suite could not run."""

from collections.abc import Sequence

from runners.verify.suites import SuiteRun
from runners.verify.verdict import Doubt

_SHARE = 3
_NAMED = 3


def doubts(name: str, before: SuiteRun, after: SuiteRun, test_files: Sequence[str]) -> list[Doubt]:
    """What reviewers must know before they rely on the suite `name`, whose runs on base and head are given.

    `test_files` are the files of the base whose names say that they are this suite's tests.
    """
    if _timed_out(before):
        message = (
            f"{name} does not end in time without the change either, so it says nothing about the change."
        )
        return [Doubt(code="suite-timed-out", suite=name, message=message)]
    if not before.outcomes and not after.outcomes:
        if not test_files or before.broken:
            return []
        message = f"{name} ran no test, though there are files of tests ({_listed(test_files)})."
        return [Doubt(code="no-test-ran", suite=name, message=message)]
    failing = sorted(
        test
        for test, outcome in after.outcomes.items()
        if _bad(outcome) and _bad(before.outcomes.get(test, "missing"))
    )
    if not after.counts.passed and not before.counts.passed:
        message = f"No test of {name} could pass, with or without the change: {_cause(before)}"
        return [Doubt(code="nothing-passes", suite=name, message=message)]
    ran = after.counts.passed + after.counts.failed
    if len(failing) * _SHARE >= ran and failing:
        message = (
            f"{len(failing)} of {ran} tests of {name} fail with and without the change: {_cause(before)}"
        )
        return [Doubt(code="many-fail", suite=name, message=message)]
    return []


def renamed(before: SuiteRun, after: SuiteRun, again: SuiteRun) -> set[str]:
    """Tests whose ids are others in each run, of which as many pass as did before.

    `after` and `again` are two runs of one tree: of a parametrised test some of whose ids are in one of them only, the base
    has others still. Such ids come from the time, a random number, or an address in memory.
    """
    unstable = {_stem(test) for test in after.outcomes.keys() ^ again.outcomes.keys()}
    unstable = {stem for stem in unstable if _bad_of(stem, again) <= _bad_of(stem, before)}
    unstable = {stem for stem in unstable if _passed_of(stem, again) >= _passed_of(stem, before)}
    return {test for run in (before, after, again) for test in run.outcomes if _stem(test) in unstable}


def _stem(test: str) -> str:
    return test.partition("[")[0]


def _passed_of(stem: str, run: SuiteRun) -> int:
    return sum(outcome == "passed" for test, outcome in run.outcomes.items() if _stem(test) == stem)


def _bad_of(stem: str, run: SuiteRun) -> int:
    return sum(_bad(outcome) for test, outcome in run.outcomes.items() if _stem(test) == stem)


def _timed_out(run: SuiteRun) -> bool:
    return run.fault == "timed-out"


def _bad(outcome: str) -> bool:
    return outcome not in ("passed", "skipped")


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")


def _cause(run: SuiteRun) -> str:
    """The line of the first failure that says most: what pytest marks as the error, or else the last one."""
    lines = [line.strip() for failure in run.failures[:1] for line in failure.message.splitlines()]
    marked = [line[1:].strip() for line in lines if line.startswith("E ")]
    said = next((line for line in [*marked[:1], *reversed(lines)] if line), "no test says why")
    return said[:300]
