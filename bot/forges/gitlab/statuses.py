"""Commit statuses on GitLab: the bot's own."""

from collections.abc import Mapping
from typing import Any

from bot.forges.forge import Check, CheckState, Repo
from bot.forges.gitlab.api import GitLabApi
from bot.forges.gitlab.client import GitlabError, forge_errors, said

_MAX_DESCRIPTION = 255  # of a commit status
_STATES: Mapping[CheckState, str] = {
    "queued": "pending",
    "in_progress": "running",
    "success": "success",
    "failure": "failed",
    "neutral": "success",
    "cancelled": "canceled",
}


class Statuses(GitLabApi):
    """The part of the adapter that writes commit statuses."""

    def upsert_check(self, repo: Repo, check: Check) -> int:
        data: dict[str, Any] = {
            "state": _STATES[check.state],
            "name": check.name,
            "description": check.title[:_MAX_DESCRIPTION],
        }
        if check.details_url:
            data["target_url"] = check.details_url
        with forge_errors():
            commit = self._project(repo).commits.get(check.head_sha, lazy=True)
            pipeline = self._pipeline(repo, check.head_sha)
            if pipeline is not None:
                data["pipeline_id"] = pipeline
            try:
                return int(commit.statuses.create(data).id)
            except GitlabError as error:
                # The status has this state already: GitLab's state machine knows no such step.
                if error.response_code != 400 or "Cannot transition status" not in said(error):
                    raise
            found = commit.statuses.list(name=check.name, get_all=True)
            return int(found[0].id) if found else 0

    def _pipeline(self, repo: Repo, sha: str) -> int | None:
        """Return the newest pipeline of the merge request's own CI on `sha`, so that the status joins it."""
        found = self._project(repo).pipelines.list(sha=sha, get_all=False)
        own = [each for each in found if each.attributes.get("source") == "merge_request_event"]
        return int(own[0].id) if own else None
