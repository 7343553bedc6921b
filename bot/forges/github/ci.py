"""The results and logs of a repository's CI on GitHub: check runs, and the logs of GitHub Actions' jobs."""

from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any

import httpx

from bot.forges.ci import CHECK_NAME, MAX_LOG_BYTES, CiJob, JobState
from bot.forges.forge import ForgeDenied, ForgeUnavailable, Repo
from bot.forges.github.api import PAGE, GitHubApi, pages
from bot.forges.github.webhooks.machine_events import PASSED

_ACTIONS = "github-actions"
# What a check ends with when its own machine failed: https://docs.github.com/en/rest/checks/runs
_BROKEN = frozenset({"startup_failure", "stale", "cancelled"})
_MOST_READ = 50_000_000
_TIMEOUT_S = 60


class CiResults(GitHubApi):
    """The part of the adapter that reads CI."""

    def ci_jobs(self, repo: Repo, commit: str, *, pull: int | None = None) -> list[CiJob]:
        with self._api(repo, {"checks": "read"}) as (github, owner, name):
            found = pages(
                lambda page: github.rest.checks.list_for_ref(
                    owner, name, commit, filter_="all", per_page=PAGE, page=page
                ).json()["check_runs"]
            )
            suites = github.rest.checks.list_suites_for_ref(owner, name, commit, per_page=PAGE).json()
            own_slug = self._tokens.login().removesuffix("[bot]")
        # An App's check run has the id of its attempt: a later one has a larger id.
        own = [each for each in found if each["name"] != CHECK_NAME]
        jobs = [_job(each) for each in sorted(own, key=lambda each: int(each["id"]))]
        return [*jobs, *_unfinished(suites["check_suites"], own_slug)]

    def ci_log(self, repo: Repo, job: CiJob) -> str:
        """Return the end of a job's log; empty where the App may not read Actions, or the log is gone."""
        if not job.has_log:
            return ""
        try:
            token = self._tokens.token(repo, {"actions": "read"})
        except ForgeDenied:
            return ""
        url = f"{self._api_url}/repos/{self._tokens.name(repo)}/actions/jobs/{job.id}/logs"
        # The address it leads to is another host's, which httpx sends no token.
        try:
            with httpx.stream(
                "GET",
                url,
                headers={"Authorization": f"token {token}", "User-Agent": "scenarist"},
                timeout=_TIMEOUT_S,
                follow_redirects=True,
            ) as answer:
                if answer.status_code in (403, 404, 410):
                    return ""
                if not answer.is_success:
                    raise ForgeUnavailable(f"GitHub answered {answer.status_code} to the log of a job.")
                return _end(answer)
        except httpx.HTTPError as error:
            raise ForgeUnavailable(f"The log of a job could not be read ({type(error).__name__}).") from None


def _unfinished(suites: Sequence[Any], own: str) -> Iterator[CiJob]:
    """Yield a running job for each suite of another App that has check runs and has not ended.

    The jobs of a workflow that need other jobs have no check run before those have ended.
    """
    for suite in suites:
        slug = (suite.get("app") or {}).get("slug") or ""
        if suite["status"] != "completed" and suite.get("latest_check_runs_count") and slug != own:
            yield CiJob(id=suite["id"], name=f"check suite of {slug}", state="running")


def _end(answer: httpx.Response) -> str:
    kept: deque[bytes] = deque()
    size = read = 0
    for part in answer.iter_bytes():
        kept.append(part)
        size += len(part)
        read += len(part)
        while size - len(kept[0]) >= MAX_LOG_BYTES:
            size -= len(kept.popleft())
        if read > _MOST_READ:
            break
    return b"".join(kept)[-MAX_LOG_BYTES:].decode(errors="replace")


def _job(data: Any) -> CiJob:
    state: JobState = "failed"
    conclusion = data.get("conclusion")
    if data.get("status") != "completed":
        state = "running"
    elif conclusion in PASSED:
        state = "skipped" if conclusion == "skipped" else "passed"
    output = data.get("output") or {}
    said = [str(output[part]) for part in ("title", "summary", "text") if output.get(part)]
    return CiJob(
        id=data["id"],
        name=data["name"],
        state=state,
        broken=conclusion in _BROKEN,
        text="\n".join(said)[:MAX_LOG_BYTES],
        has_log=(data.get("app") or {}).get("slug") == _ACTIONS,
    )
