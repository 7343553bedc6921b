"""What a runner on another machine needs of the base commit, as artifacts of the run."""

from bot.storage.run_log import MAX_ARTIFACT_BYTES
from runners.contract.job import BASE, OUTSIDE
from runners.git.outside import pack_outside
from runners.git.workspaces import Mirror, work_ref


def carried(mirror: Mirror, run_id: str, base: str) -> dict[str, bytes]:
    """Return the artifacts: the base commit with its history, and the files that lie outside of it."""
    artifacts = {BASE: mirror.bundle_commit(base, work_ref(run_id), base=None)}
    outside = pack_outside(mirror, base, MAX_ARTIFACT_BYTES)
    return {**artifacts, OUTSIDE: outside} if outside else artifacts
