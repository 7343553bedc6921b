"""Prepares a run that brings a pull request's branch up to date with its target."""

from bot.forges.forge import GitAccess, Pull
from bot.log.events import Event, Prepared
from bot.phases.carrying import carried
from runners.contract.job import WORK, PhaseResult, RunSettings
from runners.contract.workorder import RUN_TRAILER, WorkOrder
from runners.git.messages import message
from runners.git.outside import fetch_outside
from runners.git.updating import is_up_to_date, merged, rebased
from runners.git.workspaces import Mirror, work_ref


def prepare_rebase(
    run_id: str,
    order: WorkOrder,
    mirror: Mirror,
    access: GitAccess,
    pull: Pull,
    settings: RunSettings,
    carry_base: bool,
) -> PhaseResult[Event]:
    """Merge or rebase the branch as `settings` say; the run starts from the target's newest commit.

    Files with conflicts are in the work with their markers, and named in the event. Raises `GitFailed`.
    """
    heads = mirror.fetch(access.url, access.header, [pull.base, pull.head])
    head, target = heads[pull.head], heads[pull.base]
    if is_up_to_date(mirror.path, head, target):
        return PhaseResult("gave_up", f"The branch has everything of `{pull.base}` already.")
    updated = rebased(mirror.path, head, target) if settings.rebase_by == "rebase" else None
    if updated is None:
        trailers = {**order.trailers, RUN_TRAILER: run_id}
        text = message(f"Merge {target[:12]} into the branch", "", trailers)
        updated = merged(mirror.path, head, target, text)
    fetch_outside(mirror, target, access.url, access.header)
    artifacts = {WORK: mirror.bundle_commit(updated.commit, work_ref(run_id), base=target)}
    if carry_base:
        artifacts |= carried(mirror, run_id, target)
    prepared = Prepared(
        base=target,
        base_branch=pull.base,
        branch=pull.head,
        head=head,
        settings=settings,
        conflicts=updated.conflicts,
    )
    return PhaseResult("done", events=[prepared], artifacts=artifacts)
