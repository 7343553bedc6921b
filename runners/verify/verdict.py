"""What the verifier found: the only thing a pull request's proof is made from."""

from typing import Literal

from gherkin.issue.kinds import Kind
from gherkin.values import Frozen
from runners.verify.findings import Bite, Findings, HeldOut

Outcome = Literal["passed", "failed", "error", "skipped", "undefined", "missing"]
# A scenario or test that notices what it is for.
RED: tuple[Outcome, ...] = ("failed", "error")


class Failure(Frozen):
    """One failing test or scenario; `line` counts from 1, paths are relative to the repository."""

    test: str
    message: str
    path: str = ""
    line: int | None = None


class ScenarioProof(Frozen):
    """One scenario on both sides: it must be red on the base commit and green on the head commit.

    For tests of the change itself, `tests` is how many of a file's tests the row stands for: a file that the
    base cannot load is one row. With `existed` the base has a test of this name too, and the change edits it.
    `kept`: it must be green on both sides. `loaded`: its steps could be loaded on the base. `held`: it is red
    on the base only because they could not, and experiments show that it passes without the code of the
    change. `findings` are those of the experiments on it. `revised`: a review asked for it, and its base is
    the pull request as it was before the revision.
    """

    name: str
    path: str
    line: int
    base: Outcome
    head: Outcome
    base_message: str = ""
    head_message: str = ""

    kept: bool = False
    tests: int = 1
    existed: bool = False
    loaded: bool = True
    held: bool = False
    findings: Findings = Findings()
    revised: bool = False

    @property
    def proven(self) -> bool:
        """Return whether it is green on the head and red on the base; if it must be `kept`, whether it is
        green on both.
        """
        return (
            not self.unchanged and self.head == "passed" and self.base in (("passed",) if self.kept else RED)
        )

    @property
    def unchanged(self) -> bool:
        """Return whether it is green on both sides without having to be: it proves nothing, and nobody is
        to blame.
        """
        return self.head == "passed" and (self.base == "passed" or self.held) and not self.kept


class Counts(Frozen):
    passed: int = 0
    failed: int = 0
    skipped: int = 0

    @property
    def total(self) -> int:
        return self.passed + self.failed + self.skipped


class Suite(Frozen):
    """One test suite compared test by test between base and head."""

    name: str
    base: Counts
    head: Counts
    regressions: tuple[Failure, ...] = ()


class OracleChange(Frozen):
    """A change of files that decide the verdict, which the work order asks for by name; reviewers should
    look at it.
    """

    path: str
    what: str


class ChangedTests(Frozen):
    """Existing tests that the change edits, and the results of their old form.

    `paths` are the edited files, `grown` those of them that only gained tests, and `added` new files that
    configure tests. `failing` are tests that passed on the base and whose old form fails on the head.
    """

    paths: tuple[str, ...]
    grown: tuple[str, ...] = ()
    added: tuple[str, ...] = ()
    failing: tuple[Failure, ...] = ()


class Evidence(Frozen):
    """One command that the verifier ran, with its commit, purpose, exit code and duration in seconds.

    `log_sha256` (hex) is the hash of its log as it is kept; empty if there was no room for the log. With
    `known` the command was run for an earlier verdict, on exactly the same files.
    """

    commit: str
    command: str
    exit_code: int | None
    seconds: float
    log_sha256: str
    known: bool = False
    purpose: str = ""


ProblemCode = Literal[
    "feature-changed",
    "no-scenario",
    "scenario-not-red",
    "scenario-not-green",
    "scenario-not-run",
    "scenario-blind",
    "scenario-unrelated",
    "held-out-failed",
    "only-the-example",
    "step-undefined",
    "step-asserts-nothing",
    "equals-everything",
    "regression",
    "environment-broken",
    "no-change",
    "protected-changed",
    "test-removed",
    "test-changed",
    "test-config-changed",
    "test-weakened",
    "scenario-not-kept",
    "scenario-flaky",
    "no-new-test",
    "not-a-chore",
    # Only in verdicts of earlier versions, whose logs are still read; it is a doubt now.
    "tests-do-not-bite",
    "command-failed",
    "timed-out",
    "untrusted",
    "diff-too-large",
    "binary-added",
    "secret-added",
    "unsafe-link",
    "module-shadowed",
    "step-reads-source",
    "code-knows-tests",
]


class Problem(Frozen):
    """One reason why a verdict is not green. `code` is stable: see `docs/verdict.md`."""

    code: ProblemCode
    message: str


class Doubt(Frozen):
    """Why a green verdict shows less than it seems to; reviewers have to weigh it.

    It is about the runs of one `suite`, or about the proof of the change (then `suite` is empty).
    """

    code: Literal[
        "suite-timed-out",
        "no-test-ran",
        "nothing-passes",
        "many-fail",
        "tests-do-not-bite",
        "untested-code",
        "not-tried",
    ]
    suite: str = ""
    message: str


class Verdict(Frozen):
    """The verifier's result for one head commit. It is green if `problems` is empty.

    `doubts` make a green verdict a warning: most of a suite could not run, on either side, or most of the
    change is not tested. `unrunnable` says which tests could not run because they need something outside of
    the sandbox. `dependency_files` are the changed files that declare dependencies, and `oracle` the changes
    of tests and their configuration that the work order asks for by name. `held_out` are the further examples
    that were tried. If the scenarios are not part of the change (`shadow`), `tests` are its own tests that
    prove it. `bite` is how many faults in the change were noticed. `before_sha` is the pull request before
    the revision, if its review asked for further scenarios.
    """

    base_sha: str
    head_sha: str
    kind: Kind = "feature"
    shadow: bool = False
    scenarios: tuple[ScenarioProof, ...] = ()
    held_out: tuple[HeldOut, ...] = ()
    tests: tuple[ScenarioProof, ...] = ()
    suites: tuple[Suite, ...] = ()
    failures: tuple[Failure, ...] = ()
    problems: tuple[Problem, ...] = ()
    doubts: tuple[Doubt, ...] = ()
    unrunnable: tuple[str, ...] = ()
    changed_tests: ChangedTests | None = None
    dependency_files: tuple[str, ...] = ()
    oracle: tuple[OracleChange, ...] = ()
    bite: Bite | None = None
    evidence: tuple[Evidence, ...] = ()
    before_sha: str = ""

    @property
    def green(self) -> bool:
        return not self.problems

    @property
    def status(self) -> Literal["green", "warning", "red"]:
        """Return red if there are problems, a warning if there are doubts, else green."""
        if self.problems:
            return "red"
        return "warning" if self.doubts else "green"
