"""Run one candidate's product code with another candidate's steps and new tests."""

import re
from pathlib import Path
from typing import NamedTuple

from runners.git.command import changed_files, commit_on, git, tree_entries
from runners.git.workspaces import SHADOW, Mirror, Workspaces
from runners.verify.findings import Crossed
from runners.verify.rules.purposes import is_judge, purpose_of
from runners.verify.suites.run import SuiteRun
from runners.verify.suites.suites import Suites

# A test that fails with one of these needs names that only its own candidate has.
_OTHER_NAMES = re.compile(r"\b(AttributeError|ImportError|ModuleNotFoundError|NameError)\b")


class CandidateCommits(NamedTuple):
    """A candidate's number, its commit, and the commit with the scenarios and steps (the same, or one on top
    of it)."""

    number: int
    head: str
    proof: str


class Crossing:
    """Cross-tests of candidates for one feature (its path; empty: there is none) on the commit `base`."""

    def __init__(
        self, workspaces: Workspaces, mirror: Mirror, suites: Suites, run_id: str, *, base: str, feature: str
    ) -> None:
        self._workspaces = workspaces
        self._mirror = mirror
        self._suites = suites
        self._run_id = run_id
        self._base = base
        self._feature = feature

    def run(self, own: CandidateCommits, other: CandidateCommits) -> Crossed:
        """Run the scenarios with the steps of `other`, and the Python tests that it adds, on the code of
        `own`.

        Tests that need names which `own` does not have are not counted, because candidates may choose names
        freely.
        """
        commit, tests = self._laid(own, other)
        found: list[SuiteRun] = []
        with self._workspaces.worktree(self._mirror, commit, self._run_id, "cross") as tree:
            root: Path = tree.root
            if self._feature:
                found.append(self._suites.behave(root, [self._feature]))
            if tests and any(name == "pytest" for name, _ in self._suites.all()):
                found.append(self._suites.pytest(root, tests))
        problem = next((each.broken for each in found if each.broken), None)
        if problem or not any(each.outcomes for each in found):
            return Crossed(number=own.number, of=other.number, problem=problem or "there was nothing to run")
        messages = {each.test: each.message for run in found for each in run.failures}
        outcomes = {test: outcome for run in found for test, outcome in run.outcomes.items()}
        failed = tuple(
            test
            for test, outcome in outcomes.items()
            if outcome in ("failed", "error") and not _OTHER_NAMES.search(messages.get(test, ""))
        )
        passed = sum(outcome == "passed" for outcome in outcomes.values())
        return Crossed(number=own.number, of=other.number, passed=passed, failed=failed)

    def _laid(self, own: CandidateCommits, other: CandidateCommits) -> tuple[str, list[str]]:
        """Return a commit with the product code of `own` and all tests and steps of `other`, and the new
        tests.
        """
        git_dir, features = self._mirror.path, self._suites.features
        mine = [path for _, path in changed_files(git_dir, self._base, own.head) if is_judge(path, features)]
        theirs = [
            (status, path)
            for status, path in changed_files(git_dir, self._base, other.head)
            if is_judge(path, features)
        ]
        kept = [path for status, path in theirs if status != "D"]
        laid = [
            *(tree_entries(git_dir, self._base, *mine) if mine else ()),
            *(tree_entries(git_dir, other.head, *kept) if kept else ()),
        ]
        if other.proof != other.head:
            laid += tree_entries(git_dir, other.proof, self._feature, f"{SHADOW}/steps")
        there = {entry.path for entry in laid}
        gone = {*mine, *(path for status, path in theirs if status == "D")} - there
        commit = commit_on(
            git_dir, own.head, "The tests of another candidate", added=laid, removed=sorted(gone)
        )
        tests = [path for path in kept if purpose_of(path, features) == "test" and Path(path).suffix == ".py"]
        return commit, tests


def changed_lines(mirror: Mirror, base: str, head: str) -> int:
    """Return how many lines of text files the commit `head` adds to and removes from `base`."""
    out = git("diff", "--numstat", "--no-renames", base, head, git_dir=mirror.path)
    rows = (line.split("\t", 2)[:2] for line in out.splitlines())
    return sum(int(count) for row in rows for count in row if count != "-")
