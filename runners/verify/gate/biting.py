"""The mutation test of the change: which tests are run for a fault, and for how long."""

import contextlib
import os
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from gherkin.feature.model import FeatureInvalid, parse
from runners.git.command import PLAIN, git, list_files, read_blob, tree_of
from runners.verify.claim import Claim
from runners.verify.diff import added_lines
from runners.verify.experiments.answers import known_answers, literals_of, only_for
from runners.verify.experiments.experiment import Experimented
from runners.verify.experiments.flip import known_values, words
from runners.verify.experiments.scenarios import singles
from runners.verify.findings import Bite
from runners.verify.gate.reach import reaching
from runners.verify.instrumentation.mutants import (
    MARKS,
    Mutant,
    mutants,
    reached_among,
    try_mutants,
    try_source,
)
from runners.verify.rules.purposes import is_product
from runners.verify.suites.run import SuiteRun
from runners.verify.suites.suites import Suites
from runners.verify.values.literal_answers import literal_answers
from runners.verify.verdict import Problem

# All faults together take at most this share of what the bare suites on both sides take, but may always take
# so many seconds.
_SHARE = 0.3
_LEAST_S = 8.0
_MOST_AT_ONCE = 4
# What a run of a few tests takes by itself, in seconds.
_START_S = 1.0
# These run no Python.
_FOREIGN = frozenset(["jest", "vitest", "go", "cargo", "cucumber-js"])


@dataclass(frozen=True)
class Bench:
    """What the faults are tried with.

    `before` and `after` are the suites on base and head, by name; `scenarios_s` is how many seconds the
    scenarios took on both sides.
    """

    git_dir: Path
    claim: Claim
    suites: Suites
    before: Mapping[str, SuiteRun]
    after: Mapping[str, SuiteRun]
    scenarios_s: float

    @property
    def seconds(self) -> float:
        """Return how many seconds all faults together may take."""
        runs = [*self.before.values(), *self.after.values()]
        bare = self.scenarios_s + sum(run.seconds for run in runs)
        return min(self.claim.mutation.seconds, max(_LEAST_S, _SHARE * bare))


def faults(git_dir: Path, claim: Claim, features: str) -> list[Mutant]:
    """Return every fault that can be put into the product lines of the change."""
    lines = added_lines(git("diff", *PLAIN, "--unified=0", claim.base, claim.head, git_dir=git_dir))
    return [
        mutant
        for path, numbers in sorted(lines.items())
        if path.endswith(".py") and is_product(path, features)
        for mutant in mutants(
            path, (read_blob(git_dir, claim.head, path) or b"").decode(errors="replace"), numbers
        )
    ]


def only_examples(bench: Bench, root: Path, done: Experimented | None) -> list[Problem]:
    """Return the functions of the change that only know the values of its scenarios, in the checkout `root`.

    They compare an argument with such a value and return what a scenario expects, or returned the same for
    every other value when the scenarios were tried (`done`). Neither scenarios nor tests notice if they raise
    an error for every other value.
    """
    claim, git_dir = bench.claim, bench.git_dir
    given, expected = _values(bench)
    lines = added_lines(git("diff", *PLAIN, "--unified=0", claim.base, claim.head, git_dir=git_dir))
    lines = {path: each for path, each in lines.items() if is_product(path, bench.suites.features)}
    sources = {
        path: (read_blob(git_dir, claim.head, path) or b"").decode(errors="replace") for path in sorted(lines)
    }
    # (path, line, name, what it knows, the source in which it knows nothing else)
    suspects = [
        (path, answer.line, answer.name, answer.compares, answer.broken)
        for path, source in sources.items()
        if path.endswith(".py")
        for answer in literal_answers(source, lines[path], given, expected)
    ]
    if done is not None:
        literals = {word for path in sources for word in literals_of(path, sources[path], lines[path])}
        sites = {site.number: site for site in done.sites}
        for known in known_answers(done.calls, done.others, given, expected, literals):
            site = sites[known.place]
            broken = only_for(sources.get(site.path, ""), site.line, known.seen)
            suspects.append((site.path, site.line, site.name, f"{site.name}{known.example}", broken))
    problems: dict[tuple[str, str], Problem] = {}
    for path, line, name, compares, broken in suspects:
        noticing = partial(_notices, bench, _reaching(bench, root, {path}), root, bench.seconds)
        if not broken or (path, name) in problems or try_source(root, path, broken, noticing) is not False:
            continue
        message = (
            f"{path}:{line}: `{name}` only knows a scenario's own example (`{compares}`), and neither "
            "scenarios nor tests give it any other value. Implement the behaviour for all values; if it is "
            "meant so, add a test with another value."
        )
        problems[path, name] = Problem(code="only-the-example", message=message)
    return [*problems.values()]


def _values(bench: Bench) -> tuple[set[str], set[str]]:
    """Return the values that the scenarios name before and in their Then steps."""
    claim = bench.claim
    content = read_blob(bench.git_dir, claim.proof or claim.head, claim.feature) if claim.feature else None
    given: set[str] = set()
    expected: set[str] = set()
    if content is None:
        return given, expected
    with contextlib.suppress(FeatureInvalid):
        for single in singles(parse(content.decode(errors="replace"), claim.feature)):
            given.update(known_values(single))
            for step in single.scenario.steps:
                if step.kind == "then":
                    rows = step.table.rows if step.table else ()
                    expected.update([*words(step), *(cell for row in rows for cell in row)])
    return given, expected


def at_once(claim: Claim) -> int:
    """Return how many faults are tried at a time, each in a checkout of its own."""
    return max(1, min(len(os.sched_getaffinity(0)), claim.mutation.mutants, _MOST_AT_ONCE))


def bite(bench: Bench, candidates: Sequence[Mutant], roots: Sequence[Path]) -> Bite | None:
    """Put faults into the checkouts `roots`, and find out whether the scenarios or the tests notice them.

    The change's scenarios run first, then the tests that can reach the changed files. None if there is
    nothing to try.
    """
    claim = bench.claim
    # With the scenarios outside of the change, their checkout is the one that has everything.
    seed = tree_of(bench.git_dir, claim.head)
    settings = claim.mutation.model_copy(update={"seconds": bench.seconds})
    changed = {mutant.path for mutant in candidates}
    noticing = partial(_notices, bench, _reaching(bench, roots[0], changed))

    def reached(missed: Sequence[Mutant]) -> Collection[Mutant]:
        # Where something fails only now, or the time is up, nothing is known: then all count as reached.
        came: list[bool | None] = []
        marks = bench.suites.path_in(roots[0], MARKS)
        found = reached_among(roots[0], missed, marks, lambda: came.append(noticing(roots[0], bench.seconds)))
        return found if came == [False] else missed

    return try_mutants(roots, candidates, settings, seed, noticing, reached)


def _reaching(bench: Bench, root: Path, changed: set[str]) -> list[str]:
    """Return the files of pytest's tests that can reach a changed file."""
    run = bench.after.get("pytest")
    tests = sorted({test.partition("::")[0] for test in run.outcomes}) if run is not None else []
    python = [path for path in list_files(bench.git_dir, bench.claim.head) if path.endswith(".py")]
    return reaching(root, changed, tests, python)


def _notices(bench: Bench, tests: Sequence[str], root: Path, seconds: float) -> bool | None:
    """Return whether the tests notice the fault in the checkout; None if there is not enough time."""
    end = time.monotonic() + seconds
    feature = bench.claim.feature
    if feature:
        scenarios = bench.after["behave"]
        run = _within(bench.suites, end, bench.scenarios_s).behave(root, [feature])
        if run.fault == "timed-out" and time.monotonic() >= end:
            return None
        if _worse(run, scenarios):
            return True
    for name, usual in bench.after.items():
        files = tests if name == "pytest" else []
        if name in _FOREIGN or not usual.outcomes or (name == "pytest" and not tests):
            continue
        if name == "behave" and all(test.startswith(f"{feature}::") for test in usual.outcomes):
            continue
        share = sum(test.partition("::")[0] in files for test in usual.outcomes) / len(usual.outcomes)
        takes = _START_S + usual.seconds * (share if files else 1)
        if time.monotonic() + takes > end:
            return None
        suites = _within(bench.suites, end, takes)
        run = suites.pytest(root, files if share < 1 else ()) if files else dict(suites.all())[name](root)
        if run.fault == "timed-out" and time.monotonic() >= end:
            return None
        if _worse(run, usual):
            return True
    return False


def _within(suites: Suites, end: float, usual: float) -> Suites:
    """Return the suites with a time limit: the time that is left, and at most three times the usual time."""
    return suites.within(max(0.1, min(end - time.monotonic(), 5 + 3 * usual)))


def _worse(run: SuiteRun, usual: SuiteRun) -> bool:
    """Return whether a run fails although the same tests pass without the fault."""
    if run.broken:
        return not usual.broken
    return any(
        outcome != "passed" and usual.outcomes.get(test, "passed") == "passed"
        for test, outcome in run.outcomes.items()
    )
