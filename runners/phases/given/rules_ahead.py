"""Apply the verdict's rules to unfinished work, so that the model hears of problems when it can still act."""

from collections.abc import Sequence
from pathlib import PurePosixPath

from runners.contract.job import Job
from runners.git.command import commit_on, git, list_files, read_blob, tree_entries
from runners.git.workspaces import SHADOW, Worktree
from runners.loop.services import Services
from runners.phases.given.checkout import asked_of
from runners.phases.given.claims import claim_on
from runners.phases.given.toolkit import opened_paths
from runners.policy.globs import is_protected
from runners.sandbox.beneath import read_file
from runners.verify.look import look
from runners.verify.rules.asked import asked_for
from runners.verify.rules.base_settings import BaseSettings
from runners.verify.suites.foreign import TestSuite


class RulesAhead:
    """The verdict's rules, applied to the work in the worktree `tree`."""

    def __init__(self, job: Job, services: Services, tree: Worktree) -> None:
        self._job = job
        self._services = services
        self._tree = tree
        self._lines = tuple(each.command for each in job.settings.tests if isinstance(each, TestSuite))
        self._asked = asked_of(job)
        self._opened = opened_paths(job, services)
        git_dir = tree.mirror.path
        self._settings = BaseSettings(
            git_dir,
            job.base,
            list_files(git_dir, job.base),
            job.settings.features_folder,
            (*job.settings.commands, *self._lines),
        )

    def said_of(self, paths: Sequence[str]) -> str:
        """Return a note on files that were just changed and that configure how tests are run, or nothing."""
        return "\n".join(
            f"`{path}` configures how tests or checks are run. The verification refuses this change, because "
            "no sentence of the issue asks for it. Restore it; put what new tests need into their own files."
            for path in paths
            if self._is_refused(path)
        )

    def _is_refused(self, path: str) -> bool:
        if path.startswith(f"{SHADOW}/") or is_protected(path, self._opened):
            return False
        if asked_for(self._asked, path, PurePosixPath(path).name):
            return False
        before = read_blob(self._tree.mirror.path, self._job.base, path)
        after = read_file(self._tree.root, path)
        return before != after and self._settings.changed_by(path, before, after)

    def broken(self) -> list[str]:
        """Return a sentence for each rule that the present work breaks. Nothing is run for this."""
        job, git_dir = self._job, self._tree.mirror.path
        everything = head = self._tree.snapshot(job.spec.commit)
        if job.spec.shadow or not job.spec.path:
            parent = git("rev-parse", f"{job.spec.commit}^1", git_dir=git_dir)
            beside = [entry.path for entry in tree_entries(git_dir, everything, SHADOW)]
            head = commit_on(git_dir, parent, "The work", tree=everything, removed=beside)
        claim = claim_on(job, self._services, head=head, proof=everything)
        seen = look(git_dir, claim, job.settings.features_folder, self._lines)
        return [problem.message for problem in seen.problems]
