"""Run the hidden tests of a task on the tree that came of a run."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

from bot.config.repository import settings_of
from bot.evaluation.attempts import HiddenResult
from bot.evaluation.trees import Files
from bot.storage.store import new_id
from runners.environment.prepare import Environments
from runners.git.command import TreeEntry, changed_files, commit_on, git, store_blob, tree_entries
from runners.git.local import bring, git_dir_of
from runners.git.workspaces import Mirror, Workspaces
from runners.sandbox.limits import CommandLimits
from runners.verify.rules.purposes import is_judge
from runners.verify.suites.suites import Suites
from runners.verify.verdict import Outcome


class Judge:
    """Judges trees in sandboxes without a network; environments are those of the runs in `workspaces`.

    Hidden tests are kept in mirrors of the judge's own, below ``hidden`` in the state folder. The runs'
    mirrors, whose objects later runs on the same task could read, never hold them.
    """

    def __init__(self, workspaces: Workspaces, limits: CommandLimits, *, unsafe: bool) -> None:
        self._workspaces = workspaces
        self._hidden = Workspaces(workspaces.state_dir / "hidden")
        self._limits = limits
        self._unsafe = unsafe

    def judge(
        self, repository: Path, mirror: Mirror, change: str | Files, hidden: Files, tests: Sequence[str]
    ) -> HiddenResult:
        """Return what the hidden tests say of the base of `repository` with a change on it.

        `change` is a patch, or the files that it replaces; `mirror` is that of the repository's runs. Tests
        and fixtures that the change edits are put back first, so that only its product code is judged.
        Raises `EnvironmentBroken` and `GitFailed`.
        """
        git_dir = git_dir_of(repository)
        base = git("rev-parse", "HEAD", git_dir=git_dir)
        bring(mirror, git_dir, [base])
        own = self._hidden.mirror("local", mirror.path.stem)
        bring(own, git_dir, [base])
        settings = settings_of(mirror.path, base)
        environment = Environments(self._workspaces, self._limits, unsafe=self._unsafe).prepare(
            mirror, base, settings.setup, env=settings.env, services=settings.services
        )
        suites = Suites(
            lambda root, ro, rw: environment.sandbox(root, ro, rw, limits=self._limits, unsafe=self._unsafe),
            features=settings.features_folder,
        )
        if isinstance(change, str):
            head = patched(own.path, base, change)
        else:
            head = commit_on(own.path, base, "The change", added=_entries(own.path, change))
        commit = _laid(own.path, base, head, hidden, suites.features)
        paths = tests or [path for path in hidden if _is_test(path)]
        with self._hidden.worktree(own, commit, new_id(), "hidden") as tree:
            run = suites.pytest(tree.root, paths)
        return _judged(run.outcomes, tests, run.broken or "")


def patched(git_dir: Path, base: str, patch: str) -> str:
    """Return a commit of `base` with `patch` applied, without a checkout. Raises `GitFailed`."""
    if not patch.strip():
        return base
    with tempfile.TemporaryDirectory(prefix="scenarist-index-") as tmp:
        env = {"GIT_INDEX_FILE": str(Path(tmp) / "index")}
        git("read-tree", base, git_dir=git_dir, env=env)
        data = patch.encode(errors="surrogateescape") + b"\n"
        git("apply", "--cached", "--whitespace=nowarn", "-", git_dir=git_dir, env=env, stdin=data)
        tree = git("write-tree", git_dir=git_dir, env=env)
    return git("commit-tree", tree, "-p", base, "-m", "The result", git_dir=git_dir)


def _laid(git_dir: Path, base: str, head: str, hidden: Files, features: str) -> str:
    """Return `head` with all tests, fixtures and steps of `base`, and the hidden files over them."""
    judging = [path for _, path in changed_files(git_dir, base, head) if is_judge(path, features)]
    laid = {each.path: each for each in tree_entries(git_dir, base, *judging)} if judging else {}
    laid |= {each.path: each for each in _entries(git_dir, hidden)}
    gone = sorted(set(judging) - set(laid))
    return commit_on(git_dir, head, "The hidden tests", added=list(laid.values()), removed=gone)


def _entries(git_dir: Path, files: Files) -> list[TreeEntry]:
    return [
        TreeEntry("100755" if file.executable else "100644", store_blob(git_dir, file.data), path)
        for path, file in files.items()
    ]


def _is_test(path: str) -> bool:
    name = path.rpartition("/")[2]
    return name.endswith(".py") and name != "conftest.py" and (name[:4] == "test" or name[-8:] == "_test.py")


def _judged(outcomes: dict[str, Outcome], wanted: Sequence[str], broken: str) -> HiddenResult:
    passed = sorted(name for name, outcome in outcomes.items() if outcome == "passed")
    failed = sorted(name for name, outcome in outcomes.items() if outcome not in ("passed", "skipped"))
    # A test that was asked for and did not run has not passed. Parameters stand in brackets after its id.
    failed += [each for each in wanted if not any(_is_of(name, each) for name in outcomes)]
    return HiddenResult(passed=tuple(passed), failed=tuple(failed), problem=broken)


def _is_of(name: str, wanted: str) -> bool:
    return name == wanted or name.startswith((f"{wanted}[", f"{wanted}::"))
