"""Events of machines: a pipeline has ended, a branch was pushed to.

https://docs.gitlab.com/user/project/integrations/webhook_events/#pipeline-events
"""

from bot.forges.events import BaseMoved, CiFinished, ForgeEvent, Ignored
from bot.forges.forge import BRANCH_PREFIX
from bot.forges.gitlab.webhooks.hook_payloads import Payload
from bot.forges.reverts import reverts


def pushed(payload: Payload) -> ForgeEvent | Ignored:
    branch = payload.ref.removeprefix("refs/heads/")
    if branch == payload.ref or not payload.after.strip("0"):
        return Ignored(reason="no branch was pushed")
    if branch.startswith(BRANCH_PREFIX):
        return Ignored(reason="a branch of ours")
    found = reverts((each.message for each in payload.commits), payload.repo.full_name)
    return BaseMoved(
        repo=payload.repo, branch=branch, commit=payload.after, reverts=found, by=payload.user_username
    )


def pipeline_ended(payload: Payload) -> ForgeEvent | Ignored:
    """Return a pipeline that ended; with source ``external`` it is that of our own commit status."""
    pipeline, request = payload.object_attributes, payload.merge_request
    if pipeline.source == "external":
        return Ignored(reason="our own check")
    if pipeline.status not in ("success", "failed"):
        return Ignored(reason="the pipeline has no result")
    branch = request.source_branch if request is not None else pipeline.ref
    if not branch.startswith(BRANCH_PREFIX):
        return Ignored(reason="not a branch of ours")
    if request is not None and request.source_project_id != request.target_project_id:
        return Ignored(reason="merge request from a fork")
    # The pipeline of a merged result runs on a commit that is in no branch.
    of_merge = pipeline.ref.startswith("refs/merge-requests/") and pipeline.ref.endswith("/merge")
    return CiFinished(
        repo=payload.repo,
        branch=branch,
        commit="" if of_merge else pipeline.sha,
        name="pipeline",
        passed=pipeline.status == "success",
    )
