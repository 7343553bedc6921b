"""The verdict on a head commit: red-green proof, no regression, no tampering, the repository's commands."""

import contextlib
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Literal

from gherkin.steps import assertionless
from runners.gitio import changed_files, commit_on, git, read_blob, tree_entries
from runners.globs import is_protected
from runners.verify.diff import DiffLimits, dependency_files, diff_problems
from runners.verify.known import KnownRuns
from runners.verify.suites import Fault, SuiteRun, Suites, describe_failure
from runners.verify.verdict import (
    ChangedTests,
    Evidence,
    Failure,
    Outcome,
    Problem,
    ScenarioProof,
    Suite,
    Verdict,
)
from runners.workspace import Mirror, Workspaces

_CODES: dict[Fault, Literal["timed-out", "untrusted"]] = {"timed-out": "timed-out", "untrusted": "untrusted"}


@dataclass(frozen=True)
class Claim:
    """What is to be proven: `head` does what the locked feature says, and `base` did not.

    `feature_sha256` is the hex digest of the approved file's bytes; `commands` are the repository's own
    checks; `protected` are globs of files the change must not touch, `granted` of those among them that it may. With
    `changed_tests` ``fail`` an existing test may not be edited so that it hides a failure; `diff` bounds the change's size.
    """

    base: str
    head: str
    feature: str
    feature_sha256: str
    commands: tuple[str, ...] = ()
    protected: tuple[str, ...] = ()
    granted: tuple[str, ...] = ()
    changed_tests: Literal["report", "fail"] = "report"
    diff: DiffLimits = field(default_factory=DiffLimits)


class Gate:
    """Verifies claims on one repository; `run_id` names its worktrees. `known` keeps what the base commit gave."""

    def __init__(
        self,
        workspaces: Workspaces,
        mirror: Mirror,
        suites: Suites,
        run_id: str,
        known: KnownRuns | None = None,
    ) -> None:
        self._known = known
        self._workspaces = workspaces
        self._mirror = mirror
        self._suites = suites
        self._run_id = run_id
        self._evidence: list[Evidence] = []

    def verify(self, claim: Claim) -> Verdict:
        """Run everything, in worktrees and sandboxes of its own, and say what holds."""
        self._evidence = []
        problems = self._look(claim)
        problems += diff_problems(self._mirror.path, claim.base, claim.head, claim.diff)
        with contextlib.ExitStack() as stack:
            commits = {"base": claim.base, "laid": self._laid(claim), "head": claim.head}
            base, laid, head = (
                stack.enter_context(self._workspaces.worktree(self._mirror, commit, self._run_id, name)).root
                for name, commit in commits.items()
            )
            proofs, found = self._red_green(claim, commits["laid"], laid, head)
            problems += found
            suites, failures, before, found = self._no_regression(claim, base, head)
            problems += found
            changed = self._changed_tests(claim, before)
            if changed is not None and claim.changed_tests == "fail":
                problems += [
                    Problem(
                        code="test-changed",
                        message=f"{each.test} fails as it was before the change. Restore it, and keep what it demands.",
                    )
                    for each in changed.failing
                ]
            for line in claim.commands:
                run = self._note(claim.head, self._suites.command(head, line))
                if run.broken:
                    problems.append(Problem(code="command-failed", message=run.broken))
        return Verdict(
            base_sha=claim.base,
            head_sha=claim.head,
            scenarios=proofs,
            suites=suites,
            failures=failures,
            problems=tuple(problems),
            changed_tests=changed,
            dependency_files=dependency_files(self._mirror.path, claim.base, claim.head),
            evidence=tuple(self._evidence),
        )

    def _once(self, suite: str, commit: str, run: Callable[[], SuiteRun]) -> SuiteRun:
        """What a suite gives on a commit that is not the change itself."""
        if self._known is None:
            return run()
        tree = git("rev-parse", f"{commit}^{{tree}}", git_dir=self._mirror.path)
        return self._known.once(suite, tree, run)

    def _note(self, commit: str, run: SuiteRun) -> SuiteRun:
        self._evidence.append(run.evidence(commit))
        return run

    def _look(self, claim: Claim) -> list[Problem]:
        """What the two trees show without running anything."""
        git_dir = self._mirror.path
        problems = []
        feature = read_blob(git_dir, claim.head, claim.feature)
        if feature is None or hashlib.sha256(feature).hexdigest() != claim.feature_sha256:
            problems.append(
                Problem(
                    code="feature-changed",
                    message=f"{claim.feature} is not what was approved. Restore it and change the code instead.",
                )
            )
        changes = changed_files(git_dir, claim.base, claim.head)
        if not any(path != claim.feature for _, path in changes):
            problems.append(Problem(code="no-change", message="Nothing but the feature file was changed."))
        for status, path in changes:
            opened = is_protected(path, claim.granted)
            if path != claim.feature and is_protected(path, claim.protected) and not opened:
                problems.append(
                    Problem(code="protected-changed", message=f"{path} is protected and must not be changed.")
                )
            elif status == "D" and _is_test(path, self._suites.features):
                problems.append(
                    Problem(
                        code="test-removed", message=f"{path} is a test of the repository and was deleted."
                    )
                )
            elif status in ("A", "M") and path.startswith(f"{self._suites.features}/steps/"):
                problems += self._hollow(claim, path)
        return problems

    def _hollow(self, claim: Claim, path: str) -> list[Problem]:
        """Then steps that cannot fail, and were not there before."""
        before = {function for function, _ in self._assertionless(claim.base, path)}
        return [
            Problem(
                code="step-asserts-nothing",
                message=f"{path}:{line}: `{function}` is a Then step that cannot fail. Assert the outcome.",
            )
            for function, line in self._assertionless(claim.head, path)
            if function not in before
        ]

    def _assertionless(self, commit: str, path: str) -> list[tuple[str, int]]:
        source = (read_blob(self._mirror.path, commit, path) or b"").decode(errors="replace")
        try:
            return assertionless(source) if path.endswith(".py") else []
        except SyntaxError:
            return []

    def _changed_tests(self, claim: Claim, before: Mapping[str, SuiteRun]) -> ChangedTests | None:
        """Run existing tests that the change edits as they were, on the head; None when none is edited."""
        git_dir = self._mirror.path
        changes = changed_files(git_dir, claim.base, claim.head)
        edited = [
            path
            for status, path in changes
            if status == "M" and path != claim.feature and _is_test(path, self._suites.features)
        ]
        if not edited:
            return None
        commit = commit_on(
            git_dir, claim.head, "The tests as they were", added=tree_entries(git_dir, claim.base, *edited)
        )
        failing: list[Failure] = []
        with self._workspaces.worktree(self._mirror, commit, self._run_id, "before") as tree:
            for name, run in (("behave", self._suites.behave), ("pytest", self._suites.pytest)):
                now = self._note(claim.head, run(tree.root))
                kept = {test for test, outcome in before[name].outcomes.items() if outcome == "passed"}
                failing += [
                    each for each in regressions(before[name], now, but=claim.feature) if each.test in kept
                ]
        return ChangedTests(paths=tuple(edited), failing=tuple(failing))

    def _laid(self, claim: Claim) -> str:
        """The base commit with only the feature and the step definitions of the head."""
        git_dir, steps = self._mirror.path, f"{self._suites.features}/steps"
        head = tree_entries(git_dir, claim.head, claim.feature, steps)
        gone = {entry.path for entry in tree_entries(git_dir, claim.base, steps)}
        return commit_on(
            git_dir,
            claim.base,
            "The base with the scenarios",
            added=head,
            removed=sorted(gone - {entry.path for entry in head}),
        )

    def _red_green(
        self, claim: Claim, laid_commit: str, laid: Path, head: Path
    ) -> tuple[tuple[ScenarioProof, ...], list[Problem]]:
        red = self._once(
            f"behave {claim.feature}", laid_commit, lambda: self._suites.behave(laid, [claim.feature])
        )
        before = self._note(claim.base, red)
        after = self._note(claim.head, self._suites.behave(head, [claim.feature]))
        if after.broken:
            return (), [Problem(code=_CODES.get(after.fault, "no-scenario"), message=after.broken)]
        if before.fault in ("timed-out", "untrusted"):
            # Neither red nor green: that nothing came of it shows nothing.
            code = _CODES[before.fault]
            return (), [Problem(code=code, message=f"On the base commit with the scenarios {before.broken}.")]
        reasons_before = {failure.test: failure.message for failure in before.failures}
        reasons_after = {failure.test: failure.message for failure in after.failures}
        proofs = []
        for test, outcome in after.outcomes.items():
            # A base that cannot even load the steps lacks what they import: that is red too.
            missing: Outcome = "error" if before.broken else "missing"
            proofs.append(
                ScenarioProof(
                    name=test.partition("::")[2],
                    path=claim.feature,
                    line=after.lines[test],
                    base=before.outcomes.get(test, missing),
                    head=outcome,
                    base_message=reasons_before.get(test, before.broken or ""),
                    head_message=reasons_after.get(test, ""),
                )
            )
        return tuple(proofs), [problem for proof in proofs for problem in _judge(proof)]

    def _no_regression(
        self, claim: Claim, base: Path, head: Path
    ) -> tuple[tuple[Suite, ...], tuple[Failure, ...], dict[str, SuiteRun], list[Problem]]:
        suites: list[Suite] = []
        failures: list[Failure] = []
        problems: list[Problem] = []
        runs: dict[str, SuiteRun] = {}
        for name, run in (("behave", self._suites.behave), ("pytest", self._suites.pytest)):
            before = self._note(claim.base, self._once(name, claim.base, partial(run, base)))
            after = self._note(claim.head, run(head))
            for side, found in (("base", before), ("head", after)):
                if found.broken:
                    code = _CODES.get(found.fault, "environment-broken")
                    problems.append(Problem(code=code, message=f"On the {side} commit {found.broken}."))
            runs[name] = before
            worse = regressions(before, after, but=claim.feature)
            if worse:
                again = self._note(claim.head, run(head))
                still = {failure.test for failure in regressions(before, again, but=claim.feature)}
                worse = [failure for failure in worse if failure.test in still]
            if before.outcomes or after.outcomes:
                suites.append(
                    Suite(name=name, base=before.counts, head=after.counts, regressions=tuple(worse))
                )
            failures += after.failures
            problems += [
                Problem(
                    code="regression", message=f"{failure.test} passed before the change and does not now."
                )
                for failure in worse
            ]
        return tuple(suites), tuple(failures), runs, problems


def regressions(before: SuiteRun, after: SuiteRun, *, but: str) -> list[Failure]:
    """Tests that passed before and fail or are gone now, and new ones that fail; `but` is a file left out."""
    reasons = {failure.test: failure for failure in after.failures}
    worse = []
    for test, outcome in before.outcomes.items():
        if outcome == "passed" and after.outcomes.get(test, "missing") != "passed":
            gone = Failure(test=test, message=f"It is {after.outcomes.get(test, 'missing')} now.")
            worse.append(reasons.get(test, gone))
    for test, outcome in after.outcomes.items():
        new = test not in before.outcomes and not test.startswith(f"{but}::")
        if new and outcome not in ("passed", "skipped"):
            worse.append(reasons.get(test, Failure(test=test, message=f"It is {outcome}.")))
    return worse


def _judge(proof: ScenarioProof) -> list[Problem]:
    if proof.head == "undefined":
        return [Problem(code="step-undefined", message=f"“{proof.name}” has steps without a definition.")]
    problems = []
    if proof.head != "passed":
        problems.append(
            Problem(code="scenario-not-green", message=f"“{proof.name}” does not pass with the change.")
        )
    if proof.base not in ("failed", "error"):
        problems.append(
            Problem(
                code="scenario-not-red",
                message=f"“{proof.name}” already is {proof.base} without the change: it proves nothing.",
            )
        )
    return problems


def _is_test(path: str, features: str) -> bool:
    name = Path(path).name
    return (
        path.startswith(f"{features}/")
        or name.startswith("test_")
        or name.endswith(("_test.py", ".feature"))
        or name == "conftest.py"
    )


def feedback(verdict: Verdict, limit: int = 5) -> str:
    """A verdict that is not green, as the shortest text a model can act on."""
    parts = ["The verification failed:"]
    parts += [f"- {problem.message}" for problem in verdict.problems]
    shown: list[str] = []
    for proof in verdict.scenarios:
        if proof.head not in ("passed", "undefined"):
            shown.append(
                describe_failure(
                    Failure(test=proof.name, message=proof.head_message, path=proof.path, line=proof.line)
                )
            )
    named = {proof.name for proof in verdict.scenarios}
    for failure in (*verdict.failures, *(f for suite in verdict.suites for f in suite.regressions)):
        text = describe_failure(failure)
        if failure.test.partition("::")[2] not in named and text not in shown:
            shown.append(text)
    return "\n".join(parts) + "".join(f"\n\n{text}" for text in shown[:limit])
