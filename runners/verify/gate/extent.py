"""Decide how much of a suite is run, and what the results of a partly run suite leave open."""

import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path, PurePosixPath

from runners.verify.suites.run import SuiteRun
from runners.verify.verdict import Doubt

_SHARE = 3
_NAMED = 3
_MOST = 20
_MAX_FILE = 500_000
# A suite that ends within seconds is run as a whole at once.
_LONG_S = 20.0


def doubts(name: str, before: SuiteRun, after: SuiteRun, test_files: Sequence[str]) -> list[Doubt]:
    """Return what reviewers must know before they rely on the suite `name`, given its runs on base and head.

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
        message = f"{name} ran no test, although there are test files ({_listed(test_files)})."
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
    """Return tests whose ids differ in each run, if as many of them pass as did before.

    `after` and `again` are two runs of one tree. A parametrised test counts if some of its ids occur in only
    one of them and the base has further ones. Such ids come from the time, a random number, or an address in
    memory.
    """
    unstable = {_stem(test) for test in after.outcomes.keys() ^ again.outcomes.keys()}
    unstable = {stem for stem in unstable if _bad_of(stem, again) <= _bad_of(stem, before)}
    unstable = {stem for stem in unstable if _passed_of(stem, again) >= _passed_of(stem, before)}
    return {test for run in (before, after, again) for test in run.outcomes if _stem(test) in unstable}


def moved_on(
    before: SuiteRun, after: SuiteRun, edited: Collection[str], moved: Mapping[str, str]
) -> set[str]:
    """Return tests of the base that the change has under other ids, if all of these pass and they are no
    fewer.

    `edited` are the test files that the change edits, in which a test may have got other parameters. `moved`
    says where the tests of a file went.
    """
    found = set()
    for test, outcome in before.outcomes.items():
        path, _, rest = test.partition("::")
        if outcome != "passed" or (path not in moved and path not in edited):
            continue
        now = f"{moved.get(path, path)}::{rest}"
        stem = _stem(now)
        as_many = _passed_of(stem, after) >= _passed_of(_stem(test), before)
        if after.outcomes.get(now) == "passed" or (as_many and not _bad_of(stem, after)):
            found.add(test)
    return found


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
    """Return the most telling line of the first failure: the one that pytest marks as the error, or the
    last one.
    """
    lines = [line.strip() for failure in run.failures[:1] for line in failure.message.splitlines()]
    marked = [line[1:].strip() for line in lines if line.startswith("E ")]
    said = next((line for line in [*marked[:1], *reversed(lines)] if line), "no test says why")
    return said[:300]


def near(root: Path, changed: Sequence[str], before: SuiteRun) -> list[str]:
    """Return files of pytest tests below `root` that name a changed module; none if that would save nothing.

    `changed` are the paths of the change, `before` is the whole suite on the base.
    """
    if before.broken or before.seconds < _LONG_S:
        return []
    files = sorted({test.partition("::")[0] for test in before.outcomes})
    found = near_among(files, root, changed)
    return found if len(found) <= len(files) // 2 else []


def near_among(files: Sequence[str], root: Path, changed: Sequence[str]) -> list[str]:
    """Return those of the test `files` below `root` that the change edits, or that name a changed module.

    None if these are more than a few.
    """
    names = {_module(path) for path in changed if path.endswith(".py")} - {""}
    if not names:
        return []
    wanted = re.compile(rf"\b({'|'.join(map(re.escape, sorted(names)))})\b")
    found = [
        path
        for path in files
        if path in changed or wanted.search(PurePosixPath(path).stem) or wanted.search(_text(root / path))
    ]
    return found if len(found) <= _MOST else []


def _module(path: str) -> str:
    """Return the word by which tests would name a module."""
    parts = PurePosixPath(path).with_suffix("").parts
    word = parts[-2] if parts[-1] == "__init__" and len(parts) > 1 else parts[-1]
    return word if len(word) > 3 else ""


def _text(path: Path) -> str:
    if path.is_symlink() or not path.is_file() or path.stat().st_size > _MAX_FILE:
        return ""
    return path.read_text(errors="replace")


def part_of(before: SuiteRun, run: SuiteRun) -> SuiteRun:
    """Return the base's results for the tests of a run of some files."""
    files = {test.partition("::")[0] for test in run.outcomes}
    kept = {test: outcome for test, outcome in before.outcomes.items() if test.partition("::")[0] in files}
    return SuiteRun(command=before.command, outcomes=kept, failures=before.failures, lines=before.lines)
