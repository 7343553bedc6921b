"""Small repositories for tests, and the gate's verdicts on changes in them."""

import hashlib
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from runners.git.command import TreeEntry, commit_on, git, store_blob
from runners.git.workspaces import Workspaces
from runners.policy.protected import PROTECTED
from runners.sandbox.bubblewrap import Sandbox
from runners.sandbox.limits import CommandLimits
from runners.sandbox.process import CommandResult
from runners.verify.claim import Claim, MutationSettings
from runners.verify.gate.gate import Gate
from runners.verify.look import look
from runners.verify.suites.known import KnownRuns
from runners.verify.suites.suites import Suites
from runners.verify.verdict import Verdict
from tests.support.waiting import HANG_S

FEATURE = "features/issue_1_double.feature"

BASE: dict[str, str] = {
    "calc.py": "def add(a, b):\n    return a + b\n",
    "test_calc.py": "from calc import add\n\n\ndef test_add():\n    assert add(1, 2) == 3\n",
    "features/add.feature": "Feature: Add\n  Scenario: Adding\n    When I add 1 and 2\n    Then I get 3\n",
    "features/steps/steps.py": (
        "from behave import then, when\n\nfrom calc import add\n\n\n"
        '@when("I add {a:d} and {b:d}")\ndef adding(context, a, b):\n    context.result = add(a, b)\n\n\n'
        '@then("I get {n:d}")\ndef get(context, n):\n    assert context.result == n, context.result\n'
    ),
}

SPEC = {FEATURE: "@issue-1\nFeature: Double\n\n  Scenario: Doubling\n    When I double 4\n    Then I get 8\n"}

STEPS = (
    "from behave import when\n\nimport calc\n\n\n"
    '@when("I double {n:d}")\ndef doubling(context, n):\n    context.result = calc.double(n)\n'
)

WORK = {
    "calc.py": BASE["calc.py"] + "\n\ndef double(n):\n    return 2 * n\n",
    "features/steps/double_steps.py": STEPS,
}


@dataclass(frozen=True)
class Link:
    """A symbolic link in a test's commit."""

    target: str


Files = Mapping[str, str | None]


@dataclass(frozen=True)
class _Begun:
    """A bench's state folder after its first two commits."""

    folder: Path
    first: str
    tip: str
    files: Mapping[str, str | Link]


# Most tests begin with the same two commits: they are made once in a test process.
_BEGUN: dict[str, _Begun] = {}
_KEPT = TemporaryDirectory(prefix="scn-begun-")


def sandboxed_suites(wall_s: float = HANG_S) -> Suites:
    """Return suites of behave and pytest in sandboxes, with a limit of `wall_s` seconds for each run."""
    return Suites(
        lambda root, ro, rw: Sandbox(root, read_only=ro, writable=rw, limits=CommandLimits(wall_s=wall_s)),
        features="features",
    )


class Workbench:
    """Makes commits in a mirror and gets the gate's verdicts on them."""

    known: KnownRuns | None = None
    wall_s: float = HANG_S

    def __init__(self, root: Path) -> None:
        self.workspaces = Workspaces(root)
        self.mirror = self.workspaces.mirror("local", "o/r")
        self._files: dict[str, str | Link] = {}
        self._tip = ""

    def commit(self, files: Mapping[str, str | Link | None]) -> str:
        """Commit `files` (None: deleted) on top of the last commit; returns the new commit."""
        if not self._tip:
            with self.mirror.lock():  # which makes it
                pass
        for path, text in files.items():
            if text is None:
                del self._files[path]
            else:
                self._files[path] = text
        tree = self.workspaces.state_dir / "tree"
        for path, text in self._files.items():
            (tree / path).parent.mkdir(parents=True, exist_ok=True)
            if (tree / path).is_symlink() or isinstance(text, Link):
                (tree / path).unlink(missing_ok=True)
            if isinstance(text, Link):
                (tree / path).symlink_to(text.target)
            else:
                (tree / path).write_text(text)
        for path in [path for path, text in files.items() if text is None]:
            (tree / path).unlink()
        git("add", "--all", git_dir=self.mirror.path, work_tree=tree)
        written = git("write-tree", git_dir=self.mirror.path)
        parent = ["-p", self._tip] if self._tip else []
        self._tip = git("commit-tree", written, *parent, "-m", "x", git_dir=self.mirror.path)
        return self._tip

    def verdict(
        self,
        work: Mapping[str, str | Link | None],
        *,
        base: Files = BASE,
        spec: Files = SPEC,
        shadow: Mapping[str, str] | None = None,
        **more: Any,
    ) -> Verdict:
        """Return the verdict on `work` on top of `spec` on top of `base`; `more` are fields of the claim.

        `shadow` are files that prove the change and are not part of it. There are no mutants unless `more`
        sets them.
        """
        claim = self._claim(work, base, spec, shadow, more)
        suites = sandboxed_suites(self.wall_s)
        gate = Gate(self.workspaces, self.mirror, suites, "run", self.known)
        verdict = gate.verify(claim)
        assert {each.log_sha256 for each in verdict.evidence} == set(gate.logs), "each log is kept"
        assert not list((self.workspaces.state_dir / "work").glob("*")), "no worktree is left"
        return verdict

    def seen(
        self,
        work: Mapping[str, str | Link | None],
        *,
        base: Mapping[str, str | Link | None] = BASE,
        spec: Files = SPEC,
        **more: Any,
    ) -> set[str]:
        """Return the codes of the problems that are found without running suites, which is cheap."""
        return self.codes_of(self.claim(work, base=base, spec=spec, **more))

    def claim(
        self,
        work: Mapping[str, str | Link | None],
        *,
        base: Mapping[str, str | Link | None] = BASE,
        spec: Files = SPEC,
        **more: Any,
    ) -> Claim:
        """The claim that `work` on top of `spec` on top of `base` is right."""
        return self._claim(work, base, spec, None, more)

    def codes_of(self, claim: Claim) -> set[str]:
        """Return the codes of a claim's problems that are found without running suites."""
        seen = look(self.mirror.path, claim, sandboxed_suites().features)
        return {problem.code for problem in seen.problems}

    def bare(
        self,
        work: Mapping[str, str | Link | None],
        suite: Sequence[str],
        *,
        base: Files = BASE,
        spec: Files = SPEC,
    ) -> CommandResult:
        """What the bare command ``python -m SUITE…`` says of `work`, in a sandbox of its own."""
        claim = self._claim(work, base, spec, None, {})
        with self.workspaces.worktree(self.mirror, claim.head, "run", "bare") as tree:
            box = Sandbox(tree.root, limits=CommandLimits(wall_s=self.wall_s))
            return box.run(["python", "-m", *suite])

    def _claim(
        self,
        work: Mapping[str, str | Link | None],
        base: Mapping[str, str | Link | None],
        spec: Files,
        shadow: Mapping[str, str] | None,
        more: Mapping[str, Any],
    ) -> Claim:
        base_commit = self._begin(base, spec)
        head = self.commit(work)
        feature, content = next(iter((shadow or spec).items()), ("", ""))
        return Claim(
            **{
                "base": base_commit,
                "head": head,
                "feature": feature,
                "feature_sha256": hashlib.sha256((content or "").encode()).hexdigest(),
                "protected": PROTECTED,
                "proof": self._beside(head, shadow) if shadow else "",
                "mutation": MutationSettings(mutants=0),
                **more,
            }
        )

    def _begin(self, base: Mapping[str, str | Link | None], spec: Files) -> str:
        """Commit `base` and `spec`; returns the first commit. A new bench gets a copy of an earlier one."""
        state, key = self.workspaces.state_dir, repr((base, spec))
        if self._tip:
            first = self.commit(base)
            self.commit(spec)
            return first
        if key not in _BEGUN:
            first = self.commit(base)
            kept = Path(_KEPT.name) / str(len(_BEGUN))
            _BEGUN[key] = _Begun(kept, first, self.commit(spec), dict(self._files))
            shutil.copytree(state, kept, symlinks=True)
            return first
        begun = _BEGUN[key]
        shutil.copytree(begun.folder, state, symlinks=True, dirs_exist_ok=True)
        self._files, self._tip = dict(begun.files), begun.tip
        return begun.first

    def _beside(self, head: str, files: Mapping[str, str]) -> str:
        git_dir = self.mirror.path
        added = [
            TreeEntry("100644", store_blob(git_dir, text.encode()), path) for path, text in files.items()
        ]
        return commit_on(git_dir, head, "x", added=added)


def codes(verdict: Verdict) -> set[str]:
    """Return the codes of the verdict's problems."""
    return {problem.code for problem in verdict.problems}
