"""Compare every suite on base and head, test by test, and run the old form of edited tests."""

import contextlib
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from runners.git.command import changed_files, commit_on, read_blob, tree_entries
from runners.verify.claim import Claim
from runners.verify.gate.extent import doubts, moved_on, near, near_among, part_of, renamed
from runners.verify.gate.judging import FAULT_CODES, regressions, unasked
from runners.verify.gate.out_of_reach import out_of_reach
from runners.verify.look import Look
from runners.verify.rules.only_added import only_adds_tests
from runners.verify.rules.weakening import asserted
from runners.verify.suites.checkouts import Checkouts
from runners.verify.suites.run import SuiteRun
from runners.verify.suites.suites import Suites
from runners.verify.verdict import ChangedTests, Doubt, Failure, Problem, Suite

# How often the base must pass a test again that fails on the head.
_MORE_BASE_RUNS = 3

# Keeps a run on a commit as evidence, with its purpose, and returns it.
Note = Callable[[str, SuiteRun, str], SuiteRun]
# What a suite gives on a commit; it is run only if that is not known.
Once = Callable[[str, str, Callable[[], SuiteRun]], SuiteRun]


@dataclass(frozen=True)
class Compared:
    """The results of the suites on both commits. `before` and `after` are the runs by the name of the
    suite. `stops`: the verdict is red already, so nothing more needs to run.
    """

    suites: tuple[Suite, ...]
    failures: tuple[Failure, ...]
    before: dict[str, SuiteRun]
    after: dict[str, SuiteRun]
    problems: list[Problem]
    doubts: list[Doubt]
    unrunnable: list[str]
    stops: bool = False

    def with_more(self, other: "Compared") -> "Compared":
        """Return both together, the results of `other` last."""
        return Compared(
            (*self.suites, *other.suites),
            (*self.failures, *other.failures),
            {**self.before, **other.before},
            {**self.after, **other.after},
            [*self.problems, *other.problems],
            [*self.doubts, *other.doubts],
            [*self.unrunnable, *other.unrunnable],
        )


class Regression:
    """Compares the suites on both commits of a claim; `seen` is the result of the checks that need no
    run."""

    def __init__(
        self,
        claim: Claim,
        seen: Look,
        git_dir: Path,
        suites: Suites,
        checkouts: Checkouts,
        note: Note,
        once: Once,
    ) -> None:
        self._claim = claim
        self._seen = seen
        self._git_dir = git_dir
        self._suites = suites
        self._checkouts = checkouts
        self._note = note
        self._once = once
        self.cores = len(os.sched_getaffinity(0))
        # The suites that do not end on the base, with the files of them that are run.
        self._only: dict[str, list[str]] = {}

    def compare(self, base: Path, head: Path) -> Compared:
        """Run all suites on both commits, test by test; tests that became worse are run again.

        Suites run side by side on free cores, each in checkouts of its own. `base` and `head` are those of
        the first one.
        """
        every = [name for name, _ in self._suites.all()]
        compared = Compared((), (), {}, {}, [], [], [])
        with contextlib.ExitStack() as stack, ThreadPoolExecutor(self._at_once(every)) as pool:
            waiting = []
            for number, name in enumerate(every):
                roots = (base, head)
                if self._at_once(every) > 1 and number:
                    roots = (
                        stack.enter_context(self._checkouts.opened(self._claim.base, f"base-{number}")),
                        stack.enter_context(self._checkouts.opened(self._claim.head, f"head-{number}")),
                    )
                waiting.append(pool.submit(self._compare, name, *roots))
            for each in waiting:
                found = each.result()
                compared = compared.with_more(found)
                if found.stops:
                    # The tests near the change say that it is red: the other suites need not run.
                    for other in waiting:
                        other.cancel()
                    break
        return compared

    def _at_once(self, suites: Sequence[str]) -> int:
        """Return how many suites run at a time; one core is left to the experiments."""
        return max(1, min(self.cores - 1, len(suites)))

    def _compare(self, name: str, base: Path, head: Path) -> Compared:
        """Compare one suite on both commits."""
        run = self._runs(name, self._suites)
        before = self._once(name, self._claim.base, partial(run, base))
        before = self._note(self._claim.base, before, "all tests on the old code")
        if before.fault == "timed-out":
            return self._part(name, base, head, before)
        worse = self._near(head, before) if name == "pytest" else []
        if worse:
            problems = [Problem(code="regression", message=_worse(each, before)) for each in worse]
            return Compared((), tuple(worse), {}, {}, problems, [], [], stops=True)
        patient = self._runs(name, self._suites.as_on_base(before.seconds))
        after = self._once(name, self._claim.head, partial(patient, head))
        after = self._note(self._claim.head, after, "all tests on the new code")
        return self._judged(name, base, before, after, partial(patient, head))

    def _part(self, name: str, base: Path, head: Path, whole: SuiteRun) -> Compared:
        """Compare only the tests near the change, because the `whole` suite does not end on the base."""
        doubt = doubts(name, whole, whole, [])
        nothing = Compared((), (), {name: whole}, {name: whole}, [], doubt, [])
        paths = self._near_files(base, head) if name == "pytest" else []
        there = [path for path in paths if (base / path).is_file()]
        self._only[name] = []
        if not paths:
            return nothing
        before = SuiteRun(command="pytest")
        if there:
            before = self._note(
                self._claim.base, self._suites.pytest(base, there), "tests near the change, on the old code"
            )
        if before.fault == "timed-out":
            return nothing
        self._only[name] = paths
        again = partial(self._suites.as_on_base(before.seconds).pytest, head, paths)
        after = self._note(self._claim.head, again(), "tests near the change")
        found = self._judged(name, base, before, after, again)
        return replace(found, doubts=[_in_part(doubt[0], paths), *found.doubts])

    def _judged(
        self, name: str, base: Path, before: SuiteRun, after: SuiteRun, again: Callable[[], SuiteRun]
    ) -> Compared:
        """Compare two runs of a suite, test by test; `again` runs it once more on the head."""
        problems: list[Problem] = []
        found_doubts = doubts(name, before, after, self._suites.files(name, base))
        unrunnable = out_of_reach(name, before, after, self._modules())
        # Where the base contradicts itself in the same way, a threshold may be missed there already.
        as_before = before.contradicts and after.contradicts and before.exit_code == after.exit_code
        for side, found in (("base", before), ("head", after)):
            if found.broken and not as_before:
                code = FAULT_CODES.get(found.fault, "environment-broken")
                took = f" ({before.seconds:.0f} s without the change)" if found.fault == "timed-out" else ""
                problems.append(Problem(code=code, message=f"On the {side} commit {found.broken}{took}."))
        worse = unasked(self._claim, regressions(before, after, but=self._claim.feature), after)
        elsewhere = moved_on(before, after, self._seen.edited, self._seen.moved)
        worse = [each for each in worse if each.test not in elsewhere]
        if worse:
            once_more = self._note(self._claim.head, again(), "once more, since tests failed")
            still = {failure.test for failure in regressions(before, once_more, but=self._claim.feature)}
            still -= renamed(before, after, once_more)
            worse = [failure for failure in worse if failure.test in still]
            worse = self._unmerged(name, after, worse)
            worse = self._steady(name, base, worse)
        suites = Suite(name=name, base=before.counts, head=after.counts, regressions=tuple(worse))
        problems += [Problem(code="regression", message=_worse(each, before)) for each in worse]
        return Compared(
            (suites,) if before.outcomes or after.outcomes else (),
            after.failures,
            {name: before},
            {name: after},
            problems,
            found_doubts,
            unrunnable,
        )

    @staticmethod
    def _runs(name: str, suites: Suites) -> Callable[[Path], SuiteRun]:
        return dict(suites.all())[name]

    def changed_tests(self, before: Mapping[str, SuiteRun]) -> ChangedTests | None:
        """Run existing tests that the change edits, in their old form, on the head; None if there is none."""
        if not self._seen.edited and not self._seen.added:
            return None
        grown = tuple(path for path in self._seen.edited if self._grew(path))
        if not self._seen.added and len(grown) == len(self._seen.edited):
            # They ran as they were, beside the new ones.
            return ChangedTests(paths=grown, grown=grown)
        git_dir = self._git_dir
        were = tree_entries(git_dir, self._claim.base, *self._seen.edited) if self._seen.edited else []
        commit = commit_on(
            git_dir, self._claim.head, "The tests as they were", added=were, removed=self._seen.added
        )
        failing: list[Failure] = []
        with self._checkouts.opened(commit, "before") as root:
            for name, run in self._suites.all():
                if name in self._only:
                    there = [path for path in self._only[name] if (root / path).is_file()]
                    if not there:
                        continue
                    run = partial(self._suites.pytest, paths=there)
                now = self._note(self._claim.head, run(root), "old tests on the new code")
                kept = {test for test, outcome in before[name].outcomes.items() if outcome == "passed"}
                failing += [
                    each
                    for each in regressions(before[name], now, but=self._claim.feature)
                    if each.test in kept
                ]
        return ChangedTests(
            paths=tuple(self._seen.edited),
            grown=grown,
            added=tuple(self._seen.added),
            failing=tuple(failing),
        )

    def _grew(self, path: str) -> bool:
        old, new = (
            (read_blob(self._git_dir, commit, path) or b"").decode(errors="replace")
            for commit in (self._claim.base, self._claim.head)
        )
        return only_adds_tests(path, old, new)

    def _unmerged(self, suite: str, after: SuiteRun, worse: list[Failure]) -> list[Failure]:
        """Return `worse` without the tests that were merged into other tests of the same file.

        In their old form they pass on the change, and the file asserts no less often than before.
        """
        git_dir = self._git_dir
        gone = {each.test for each in worse if each.test not in after.outcomes}
        files = {test.partition("::")[0] for test in gone} & set(self._seen.edited)
        as_often = {
            path
            for path in files
            if (source := read_blob(git_dir, self._claim.head, path)) is not None
            and asserted(source.decode(errors="replace"))
            >= asserted((read_blob(git_dir, self._claim.base, path) or b"").decode(errors="replace"))
        }
        if suite != "pytest" or not as_often:
            return worse
        were = tree_entries(git_dir, self._claim.base, *sorted(as_often))
        commit = commit_on(git_dir, self._claim.head, "The tests as they were", added=were)
        with self._checkouts.opened(commit, "merged") as root:
            now = self._note(
                self._claim.head, self._suites.pytest(root, sorted(as_often)), "old tests on the new code"
            )
        taken = {test for test in gone if now.outcomes.get(test) == "passed"}
        return [each for each in worse if each.test not in taken]

    def _steady(self, suite: str, base: Path, worse: list[Failure]) -> list[Failure]:
        """Return `worse` without the tests that fail on the base too when their files are run again."""
        if suite != "pytest":
            return worse
        for _ in range(_MORE_BASE_RUNS if worse else 0):
            files = sorted({each.test.partition("::")[0] for each in worse})
            once_more = self._suites.pytest(base, files)
            self._note(self._claim.base, once_more, "failing tests on the old code, once more")
            worse = [each for each in worse if once_more.outcomes.get(each.test, "passed") == "passed"]
            if not worse:
                break
        return worse

    def _near(self, head: Path, before: SuiteRun) -> list[Failure]:
        """Return the tests near the change that became worse in two runs; the whole suite need not run."""
        paths = near(head, self._changed(), before)
        if not paths:
            return []
        worse: list[Failure] = []
        for purpose in ("tests near the change", "once more, since tests failed"):
            run = self._note(self._claim.head, self._suites.pytest(head, paths), purpose)
            still = unasked(self._claim, regressions(part_of(before, run), run, but=self._claim.feature), run)
            worse = [each for each in still if not worse or each.test in {other.test for other in worse}]
            if run.broken or not worse:
                return []
        return worse

    def _near_files(self, base: Path, head: Path) -> list[str]:
        """Return the test files near the change of a suite whose tests are not known."""
        files = {*self._suites.files("pytest", base), *self._suites.files("pytest", head)}
        return [path for path in near_among(sorted(files), head, self._changed()) if (head / path).is_file()]

    def _changed(self) -> list[str]:
        return [path for _, path in changed_files(self._git_dir, self._claim.base, self._claim.head)]

    def _modules(self) -> list[str]:
        """Return the paths of the base's submodules."""
        return [each.path for each in tree_entries(self._git_dir, self._claim.base) if each.mode == "160000"]


def _in_part(doubt: Doubt, paths: Sequence[str]) -> Doubt:
    return doubt.model_copy(
        update={"message": f"{doubt.message} Only the {len(paths)} test files near the change were run."}
    )


def _worse(failure: Failure, before: SuiteRun) -> str:
    if failure.test in before.outcomes:
        return f"{failure.test} passed before the change and does not now."
    return f"{failure.test} is new and fails."
