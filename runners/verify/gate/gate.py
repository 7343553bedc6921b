"""The verdict on a head commit: red-green proof, no regression, no tampering, the repository's commands."""

import contextlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

from runners.git.command import changed_files, commit_on, read_blob, tree_entries, tree_of
from runners.git.workspaces import Mirror, Workspaces
from runners.policy.redact import Redactor
from runners.verify.claim import Claim
from runners.verify.diff import dependency_files, diff_problems
from runners.verify.experiments.experiment import Experimented, experiment
from runners.verify.experiments.lab import Lab
from runners.verify.experiments.loosened import Loosened
from runners.verify.findings import Bite, HeldOut
from runners.verify.gate.approved import unlike
from runners.verify.gate.biting import Bench, at_once, bite, faults, only_examples
from runners.verify.gate.edited_tests import EditedTests
from runners.verify.gate.judging import (
    FAULT_CODES,
    floor,
    judge,
    new_tests,
    no_new_test,
    none_red,
    since_revision,
    tampered,
)
from runners.verify.gate.kept_logs import KeptLogs
from runners.verify.gate.laying import beside, laid_on
from runners.verify.gate.regression import Regression
from runners.verify.instrumentation.product import only_functions
from runners.verify.look import Look, adds_modules, look
from runners.verify.rules.purposes import is_judge, is_product
from runners.verify.suites.checkouts import Checkouts
from runners.verify.suites.known import KnownRuns
from runners.verify.suites.run import SuiteRun
from runners.verify.suites.suites import Suites
from runners.verify.verdict import (
    Doubt,
    Evidence,
    Outcome,
    Problem,
    ScenarioProof,
    Verdict,
)

# Scenarios are run a third time where that costs no more than a few seconds.
_QUICK_S = 10.0

# What a batch of experiments may take: this many seconds, or so many times as long as the scenarios
# themselves.
_EXPERIMENTS_S = 30.0
_EXPERIMENTS = 4
_EXPERIMENTING = "experiments on the scenarios"


# The base lacks what a test is about.
_ABSENT = re.compile(r"\b(?:AttributeError|ImportError|ModuleNotFoundError|NameError)\b")


class Gate:
    """Verifies claims on one repository; `run_id` names its worktrees. `known` keeps the results of the
    base commit; `redactor` removes this process's secrets from the logs.
    """

    def __init__(
        self,
        workspaces: Workspaces,
        mirror: Mirror,
        suites: Suites,
        run_id: str,
        known: KnownRuns | None = None,
        redactor: Redactor | None = None,
    ) -> None:
        self._known = known
        self._workspaces = workspaces
        self._mirror = mirror
        self._suites = suites
        self._run_id = run_id
        self._redactor = redactor
        self._logs = KeptLogs(redactor)
        self._evidence: list[Evidence] = []
        self._doubts: list[Doubt] = []
        self._unrunnable: list[str] = []
        self._replaced: dict[str, set[str]] = {}

    def verify(self, claim: Claim) -> Verdict:
        """Run everything in fresh worktrees and sandboxes, and return the verdict."""
        self._evidence, self._doubts, self._unrunnable = [], [], []
        self._replaced = {commit: set() for commit in (claim.base, claim.head, claim.before)}
        self._logs = KeptLogs(self._redactor)
        git_dir = self._mirror.path
        seen = look(git_dir, claim, self._suites.features, self._suites.command_lines)
        problems = [*seen.problems, *diff_problems(git_dir, claim.base, claim.head, claim.diff)]
        if problems:
            # The change must be mended anyway: running it would cost minutes and show nothing.
            return self._verdict(claim, problems, oracle=tuple(seen.oracle))
        features = self._suites.features
        checkouts = Checkouts(
            self._workspaces, self._mirror, self._run_id, base=claim.base, features=features
        )
        with checkouts as self._checkouts, ThreadPoolExecutor(max_workers=1) as pool:
            checkout = self._checkouts.open
            self._fresh = self._suites.on(self._checkouts)
            if claim.feature:
                self._checkouts.approve(claim.proof or claim.head, claim.feature)
            base, head = checkout(claim.base, "base"), checkout(claim.head, "head")
            if adds_modules(git_dir, claim):
                found = look(
                    git_dir, replace(claim, installed=self._suites.installed(base)), features
                ).problems
                if found:
                    return self._verdict(claim, found, oracle=tuple(seen.oracle))
            proof = checkout(beside(self._mirror.path, claim), "proof") if claim.proof else head
            proofs: tuple[ScenarioProof, ...] = ()
            if claim.feature:
                laid = laid_on(git_dir, claim, claim.base, features)
                proofs, found = self._red_green(claim, laid, checkout(laid, "laid"), proof)
                if claim.revised and not found:
                    proofs, found = self._since_revision(claim, proofs)
                if found:
                    # The model has to go back to the scenarios: the suites are run when these pass.
                    return self._verdict(claim, found, scenarios=proofs, oracle=tuple(seen.oracle))
            # Beside the suites, on what would be an idle core.
            experiments = pool.submit(self._experiments, claim, seen, proofs)
            regression = Regression(
                claim, seen, git_dir, self._fresh, self._checkouts, self._note, self._once
            )
            compared = regression.compare(base, head)
            suites, failures = compared.suites, compared.failures
            before, after = compared.before, compared.after
            problems += compared.problems
            self._doubts += compared.doubts
            self._unrunnable += compared.unrunnable
            problems += tampered(self._replaced[claim.head] - self._replaced[claim.base])
            if problems:
                # It is red anyway: what follows would only take longer to say so.
                return self._verdict(
                    claim,
                    problems,
                    scenarios=proofs,
                    suites=suites,
                    failures=failures,
                    oracle=tuple(seen.oracle),
                )
            if claim.feature:
                problems += self._again(claim, proof, after["behave"])
            changed = regression.changed_tests(before)
            if changed is not None:
                edited = EditedTests(git_dir, claim, changed, self._fresh, self._checkouts.opened, self._note)
                problems += edited.judge(self._loosened(), before, after)
            tests: tuple[ScenarioProof, ...] = ()
            if claim.proof and claim.kind in ("feature", "bug"):
                tests, found = self._own_tests(claim, head, before, after)
                problems += found
            for line in claim.commands:
                run = self._note(claim.head, self._fresh.command(head, line), "the repository's own command")
                if run.broken:
                    problems.append(Problem(code="command-failed", message=run.broken))
            tried = experiments.result()
            found, proofs, held_out = self._experimented(claim, tried, proofs)
            problems += found
            bitten = None
            if not problems:
                bench = self._bench(claim, before, after)
                if claim.experiments and all(each.outcome == "unmatched" for each in held_out):
                    self._checkouts.begin(proof)
                    problems += only_examples(bench, proof, tried)
                bitten = self._bite(bench, proof)
                self._doubts += floor(claim, bitten)
        return self._verdict(
            claim,
            problems,
            scenarios=proofs,
            held_out=held_out,
            tests=tests,
            suites=suites,
            failures=failures,
            changed_tests=changed,
            oracle=tuple(seen.oracle),
            bite=bitten,
        )

    @property
    def logs(self) -> dict[str, str]:
        """SHA-256 -> the log of each command of the newest verdict, as the rows of its evidence name it."""
        return self._logs.texts

    def _verdict(self, claim: Claim, problems: Sequence[Problem], **found: Any) -> Verdict:
        return Verdict(
            base_sha=claim.base,
            head_sha=claim.head,
            kind=claim.kind,
            shadow=bool(claim.proof),
            problems=tuple(problems),
            doubts=tuple(self._doubts),
            unrunnable=tuple(self._unrunnable),
            dependency_files=dependency_files(self._mirror.path, claim.base, claim.head),
            evidence=tuple(self._evidence),
            before_sha=claim.before if claim.revised else "",
            **found,
        )

    def _once(self, suite: str, commit: str, run: Callable[[], SuiteRun]) -> SuiteRun:
        """Return the run of a suite on a commit; a kept run is used if the commit has exactly the same
        files.
        """
        if self._known is None:
            return run()
        tree = tree_of(self._mirror.path, commit)
        return self._known.once(suite, tree, run)

    def _note(self, commit: str, run: SuiteRun, purpose: str) -> SuiteRun:
        """Keep what was run for `purpose` as evidence, unless the repository has no such suite.

        Returns the run.
        """
        if run.outcomes or run.broken or purpose.endswith("command"):
            self._evidence.append(self._logs.evidence(commit, run, purpose))
        self._replaced[commit].update(run.replaced)
        return run

    def _again(self, claim: Claim, proof: Path, suite: SuiteRun) -> list[Problem]:
        """Run the scenarios once more: with the others, and alone in reverse order.

        Returns a problem for each scenario that passed before and does not pass now.
        """
        runs = [suite]
        if suite.seconds < _QUICK_S:
            again = self._fresh.behave(proof, [claim.feature], backwards=True)
            runs.append(self._note(claim.head, again, "scenarios on the new code, in another order"))
        unsteady = {
            test
            for run in runs
            for test, outcome in run.outcomes.items()
            if test.startswith(f"{claim.feature}::") and outcome != "passed"
        }
        return [
            Problem(
                code="scenario-flaky",
                message=(
                    f"“{test.partition('::')[2]}” passed, but not when it was run again. Make it "
                    "independent of time, order and earlier runs."
                ),
            )
            for test in sorted(unsteady)
        ]

    def _loosened(self) -> Loosened:
        """Return the comparison of tests on code that returns other results; its runs have a time limit of
        their own.
        """
        features = self._suites.features
        return Loosened(
            self._mirror.path,
            self._suites.within(_EXPERIMENTS_S),
            self._worktree,
            lambda path: is_product(path, features),
        )

    @contextlib.contextmanager
    def _worktree(self, commit: str, name: str) -> Iterator[Path]:
        """Make a checkout that is not part of the evidence, and is not restored between runs."""
        with self._workspaces.worktree(self._mirror, commit, self._run_id, name) as tree:
            yield tree.root

    def _own_tests(
        self, claim: Claim, head: Path, before: Mapping[str, SuiteRun], after: Mapping[str, SuiteRun]
    ) -> tuple[tuple[ScenarioProof, ...], list[Problem]]:
        """Compare the change's own tests, in the repository's own style, on base and head.

        They must be red on the base, if the repository has tests at all. If the change only edits test
        modules of pytest, only these are run, on both sides.
        """
        git_dir = self._mirror.path
        paths = [
            path
            for status, path in changed_files(git_dir, claim.base, claim.head)
            if status in ("A", "M") and is_judge(path, self._suites.features)
        ]
        proofs: list[ScenarioProof] = []
        if paths:
            added = tree_entries(git_dir, claim.head, *paths)
            commit = commit_on(git_dir, claim.base, "The base with the new tests", added=added)
            with self._checkouts.opened(commit, "tests") as root:
                for name, run in self._fresh.all():
                    if name == "behave" or not after[name].outcomes:
                        continue
                    collected = {test.partition("::")[0] for test in after[name].outcomes}
                    alone = name == "pytest" and collected.issuperset(paths)
                    tried = self._fresh.pytest(root, paths) if alone else run(root)
                    then = self._note(claim.base, tried.beside(replaced=()), "new tests on the old code")
                    if then.fault in ("timed-out", "untrusted"):
                        continue
                    now = after[name]
                    if alone:
                        now = self._note(
                            claim.head, self._fresh.pytest(head, paths), "new tests on the new code"
                        )
                    proofs += new_tests(before[name], then, now, paths)
        if named := self._silent(claim, proofs, after):
            message = (
                "The change's own tests also pass when its code returns something else, or is broken. "
                f"Assert what it returns: {', '.join(named[:3])}."
            )
            return tuple(proofs), [Problem(code="no-new-test", message=message)]
        if not proofs and any(run.outcomes for name, run in before.items() if name != "behave"):
            return (), [no_new_test(paths, after.get("pytest"), self._suites.features)]
        return tuple(proofs), []

    def _silent(
        self, claim: Claim, proofs: Sequence[ScenarioProof], after: Mapping[str, SuiteRun]
    ) -> list[str]:
        """Return the change's own tests if they only notice that its code exists, and not what it returns.

        Empty if one of them notices what it returns, or fails on the base for another reason.
        """
        if not claim.experiments or not proofs or "pytest" not in after:
            return []
        if not all(_ABSENT.search(proof.base_message) for proof in proofs):
            return []
        every = after["pytest"].outcomes
        own = [test for proof in proofs for test in every if _is_of(proof, test)]
        files = sorted({test.partition("::")[0] for test in own})
        features = self._suites.features
        functions = only_functions(self._mirror.path, claim, features)
        silent = bool(own) and self._loosened().silent(
            claim.head, files, own, after["pytest"], functions=functions
        )
        return own if silent else []

    def _bench(self, claim: Claim, before: Mapping[str, SuiteRun], after: Mapping[str, SuiteRun]) -> Bench:
        """Return what the faults in the change are tried with."""
        own = (
            [item for item in self._evidence if item.command.endswith(claim.feature)] if claim.feature else []
        )
        scenarios_s = sum(item.seconds for item in own)
        return Bench(self._mirror.path, claim, self._suites, before, after, scenarios_s)

    def _bite(self, bench: Bench, proof: Path) -> Bite | None:
        """Put faults into the change and see whether its scenarios, then the tests, notice."""
        claim = bench.claim
        candidates = faults(bench.git_dir, claim, self._suites.features)
        if not candidates or not claim.mutation.mutants:
            return None
        commit = beside(self._mirror.path, claim) if claim.proof else claim.head
        self._checkouts.begin(proof)
        with contextlib.ExitStack() as stack:
            more = [
                stack.enter_context(self._checkouts.opened(commit, f"faults-{number}"))
                for number in range(1, min(at_once(claim), len(candidates)))
            ]
            return bite(bench, candidates, [proof, *more])

    def _red_green(
        self, claim: Claim, laid_commit: str, laid: Path, head: Path
    ) -> tuple[tuple[ScenarioProof, ...], list[Problem]]:
        with ThreadPoolExecutor(max_workers=1) as pool:
            second = pool.submit(self._fresh.behave, head, [claim.feature])
            red = self._once(
                f"behave {claim.feature}", laid_commit, lambda: self._fresh.behave(laid, [claim.feature])
            )
            green = second.result()
        before = self._note(claim.base, red.beside(replaced=()), "scenarios on the old code")
        after = self._note(claim.head, green, "scenarios on the new code")
        if after.broken:
            return (), [Problem(code=FAULT_CODES.get(after.fault, "no-scenario"), message=after.broken)]
        approved = read_blob(self._mirror.path, claim.proof or claim.head, claim.feature) or b""
        if other := unlike(approved, claim.feature, after.lines, after.texts):
            return (), other
        if before.fault in ("timed-out", "untrusted"):
            # Neither red nor green: that nothing came of it shows nothing.
            code = FAULT_CODES[before.fault]
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
                    kept=claim.kind == "refactoring",
                    loaded=not before.broken,
                )
            )
        return tuple(proofs), [problem for proof in proofs for problem in judge(proof, claim.kind)]

    def _since_revision(
        self, claim: Claim, proofs: Sequence[ScenarioProof]
    ) -> tuple[tuple[ScenarioProof, ...], list[Problem]]:
        """Compare the scenarios that a review asked for with the pull request before the revision."""
        with self._checkouts.opened(
            laid_on(self._mirror.path, claim, claim.before, self._suites.features), "revised"
        ) as root:
            run = self._fresh.behave(root, [claim.feature])
        before = self._note(claim.before, run.beside(replaced=()), "scenarios before the revision")
        if before.fault in ("timed-out", "untrusted"):
            code = FAULT_CODES[before.fault]
            return (), [Problem(code=code, message=f"On the commit before the revision {before.broken}.")]
        found = since_revision(claim, proofs, before)
        return found, [problem for proof in found if proof.revised for problem in judge(proof, claim.kind)]

    def _experiments(self, claim: Claim, seen: Look, proofs: Sequence[ScenarioProof]) -> Experimented | None:
        """Return the results of the experiments, if all scenarios pass and the rules have found nothing
        else.
        """
        if not claim.experiments or seen.problems or not proofs:
            return None
        if any(proof.head != "passed" for proof in proofs):
            return None
        scenarios = [item for item in self._evidence if item.command.endswith(claim.feature)]
        seconds = max(_EXPERIMENTS_S, _EXPERIMENTS * max((item.seconds for item in scenarios), default=0))
        lab = Lab(
            git_dir=self._mirror.path,
            claim=claim,
            commit=beside(self._mirror.path, claim) if claim.proof else claim.head,
            features=self._suites.features,
            suites=self._suites.within(seconds),
            checkout=self._worktree,
        )
        return experiment(lab, proofs)

    def _experimented(
        self, claim: Claim, done: Experimented | None, proofs: tuple[ScenarioProof, ...]
    ) -> tuple[list[Problem], tuple[ScenarioProof, ...], tuple[HeldOut, ...]]:
        """Return the problems that experiments found, the proofs with their findings, and the held-out
        examples.
        """
        if done is None:
            return none_red(proofs), proofs, ()
        self._evidence += [self._logs.evidence(claim.head, run, _EXPERIMENTING) for run in done.runs]
        self._doubts += done.doubts
        return [*done.problems, *none_red(done.proofs)], done.proofs, done.held_out


def _is_of(proof: ScenarioProof, test: str) -> bool:
    """Return whether a row of the change's own tests stands for this test; without a name it is a whole
    file.
    """
    return test == f"{proof.path}::{proof.name}" if proof.name else test.startswith(f"{proof.path}::")
