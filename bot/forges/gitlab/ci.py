"""The results and logs of a project's pipelines on GitLab.

https://docs.gitlab.com/api/jobs/
"""

import re
from collections import deque
from collections.abc import Mapping
from typing import Any

from bot.forges.ci import MAX_LOG_BYTES, CiJob, JobState
from bot.forges.forge import Repo
from bot.forges.gitlab.api import GitLabApi
from bot.forges.gitlab.client import GitlabError, forge_errors

_STATES: Mapping[str, JobState] = {
    "success": "passed",
    "failed": "failed",
    "canceled": "failed",
    "skipped": "skipped",
    "manual": "skipped",
}
# Why a job failed, where its script did not: https://docs.gitlab.com/api/jobs/ (`failure_reason`)
_BROKEN = frozenset(
    {
        "api_failure",
        "archived_failure",
        "data_integrity_failure",
        "missing_dependency_failure",
        "runner_system_failure",
        "runner_unsupported",
        "scheduler_failure",
        "stale_schedule",
        "stuck_or_timeout_failure",
        "unknown_failure",
    }
)
_SHA = re.compile(r"[0-9a-f]{40}")
_PIPELINES = 5


class CiResults(GitLabApi):
    """The part of the adapter that reads CI."""

    def ci_jobs(self, repo: Repo, commit: str, *, pull: int | None = None) -> list[CiJob]:
        with forge_errors():
            project = self._project(repo)
            sha = commit if _SHA.fullmatch(commit) else str(project.commits.get(commit).id)
            found = project.pipelines.list(sha=sha, order_by="id", sort="desc", get_all=False)
            # Our own commit status makes a pipeline with this source.
            numbers = {int(each.id) for each in found if each.attributes.get("source") != "external"}
            numbers |= self._of_merge(repo, pull)
            jobs: list[Any] = []
            for number in sorted(numbers)[-_PIPELINES:]:
                pipeline = project.pipelines.get(number, lazy=True)
                jobs += pipeline.jobs.list(include_retried=True, iterator=True, per_page=100)
        return [_job(each.attributes) for each in sorted(jobs, key=lambda each: int(each.id))]

    def ci_log(self, repo: Repo, job: CiJob) -> str:
        kept: deque[bytes] = deque()
        size = 0

        def keep(part: bytes) -> None:
            nonlocal size
            kept.append(part)
            size += len(part)
            while size - len(kept[0]) >= MAX_LOG_BYTES:
                size -= len(kept.popleft())

        with forge_errors():
            try:
                self._project(repo).jobs.get(job.id, lazy=True).trace(streamed=True, action=keep)
            except GitlabError as error:
                if error.response_code not in (403, 404):
                    raise
        return b"".join(kept)[-MAX_LOG_BYTES:].decode(errors="replace")

    def _of_merge(self, repo: Repo, pull: int | None) -> set[int]:
        """Return the newest pipeline of a merge request, which may run on its merge with the target."""
        if pull is None:
            return set()
        newest = self._project(repo).mergerequests.get(pull).attributes.get("head_pipeline") or {}
        return {int(newest["id"])} if newest.get("source") == "merge_request_event" else set()


def _job(data: Mapping[str, Any]) -> CiJob:
    return CiJob(
        id=data["id"],
        name=data["name"],
        state=_STATES.get(data["status"], "running"),
        broken=data["status"] == "canceled" or data.get("failure_reason") in _BROKEN,
        optional=bool(data.get("allow_failure")),
        has_log=True,
    )
