"""A branch that was brought up to date with its target: what is left to do about it."""

from collections.abc import Sequence

from runners.contract.events import Committed, RunnerEvent, VerdictReached
from runners.contract.job import Job, PhaseResult
from runners.contract.workorder import RUN_TRAILER
from runners.git.command import GitFailed, commit_on, git, tree_entries
from runners.git.messages import message
from runners.git.workspaces import SHADOW, Mirror, Worktree, work_ref

_MARKER = "^(<{7}|>{7}) "


def carried_over(job: Job, mirror: Mirror, work: str) -> PhaseResult[RunnerEvent] | None:
    """Return the end of the phase where no model is needed: the branch was updated without conflicts, and
    has not been verified yet."""
    verified = any(isinstance(event, VerdictReached) for event in job.events)
    if not job.order.rebase or job.conflicts or verified:
        return None
    beside = job.spec.shadow or not job.spec.path
    head = git("rev-parse", f"{work}^1", git_dir=mirror.path) if beside else work
    done = Committed(commit=head, summary=f"The branch was brought up to date with `{job.base[:12]}`.")
    return PhaseResult("done", events=[done])


def unresolved(tree: Worktree, conflicts: Sequence[str]) -> str:
    """Return a sentence that names the files in which conflict markers are left; empty if there are none.

    Raises `GitFailed`.
    """
    if not conflicts:
        return ""
    tree.stage()
    paths = [f":(literal){path}" for path in conflicts]
    try:
        found = tree.git("grep", "--cached", "--name-only", "-z", "-I", "-E", "-e", _MARKER, "--", *paths)
    except GitFailed as error:
        if error.status != 1:
            raise
        return ""
    left = ", ".join(path for path in found.split("\0") if path)
    return f"Conflict markers are left in {left}. Resolve each conflict, then finish."


def resolved(job: Job, tree: Worktree, summary: str) -> tuple[str, bytes]:
    """Commit the resolution as one merge of the branch and its target: (the commit, a bundle of it).

    Where scenarios lie beside the change, the bundle carries them in a second commit, which is never pushed.
    """
    git_dir = tree.mirror.path
    beside = job.spec.shadow or not job.spec.path
    begun = f"{job.spec.commit}^1" if beside else job.spec.commit
    parents = git("rev-parse", f"{begun}^1", f"{begun}^2", git_dir=git_dir).split()
    trailers = {
        **job.order.trailers,
        RUN_TRAILER: job.run_id,
    }
    text = message(f"Merge {job.base[:12]} and resolve its conflicts", summary, trailers)
    everything = tree.snapshot(job.spec.commit)
    shadow = [entry.path for entry in tree_entries(git_dir, everything, SHADOW)] if beside else []
    merge = commit_on(git_dir, parents[0], text, tree=everything, removed=shadow, also=parents[1:])
    tip = merge
    if beside:
        tip = commit_on(git_dir, merge, "The scenarios beside the change", tree=everything)
    return merge, tree.mirror.bundle_commit(tip, work_ref(job.run_id), base=job.base)
