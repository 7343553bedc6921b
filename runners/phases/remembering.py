"""Add what the work taught to the repository's memory, in the same pull request."""

from runners.contract.job import Job
from runners.contract.memory import MEMORY, contradicted, new_lines, rewritten
from runners.contract.workorder import RUN_TRAILER
from runners.git.command import TreeEntry, commit_on, read_blob, store_blob, tree_entries
from runners.git.messages import message
from runners.git.workspaces import Mirror, work_ref
from runners.loop.agent import Ended
from runners.policy.plaintext import one_line


class Lessons:
    """What one round of work taught: lines to add to the memory, and entries to remove from it.

    `committed` is whether `commit_on_top` has put them into the work.
    """

    def __init__(self, job: Job, mirror: Mirror, ended: Ended) -> None:
        self._job = job
        self._mirror = mirror
        self._has_file = read_blob(mirror.path, job.base, MEMORY) is not None
        # An earlier revision may have changed it on the branch.
        self._memory = (read_blob(mirror.path, job.spec.commit, MEMORY) or b"").decode(errors="replace")
        self.added = new_lines(self._memory, ended.learned, _source(job))
        self.removed = contradicted(self._memory, ended.outdated)
        self.committed = False

    def commit_on_top(self, commit: str, bundle: bytes) -> tuple[str, bytes]:
        """Return the work with a further commit that changes the memory.

        The work is returned unchanged if nothing was learned, if the repository has no memory on its base, or
        if the scenarios are not part of the change. Then only the pull request shows the lines.
        """
        job, path = self._job, self._mirror.path
        if not (self.added or self.removed) or not self._has_file or job.spec.shadow or not job.spec.path:
            return commit, bundle
        entry = next(iter(tree_entries(path, commit, MEMORY)), None)
        if entry is None or entry.mode != "100644":
            return commit, bundle
        text = rewritten(self._memory, self.added, self.removed)
        trailers = {**job.order.trailers, RUN_TRAILER: job.run_id}
        said = message("Remember what this work taught", "Delete what should not be remembered.", trailers)
        changed = TreeEntry("100644", store_blob(path, text.encode()), MEMORY)
        made = commit_on(path, commit, said, added=[changed])
        self.committed = True
        return made, self._mirror.bundle_commit(made, work_ref(job.run_id), base=job.base)


def _source(job: Job) -> str:
    """Return where a lesson comes from, as the file says it: the number, and who reviewed."""
    if job.order.kind == "revise":
        return f"#{job.order.pull}, review of {one_line(job.order.requested_by, 40)}"
    return f"#{job.order.cited}" if job.order.cited else one_line(job.order.title, 40)
