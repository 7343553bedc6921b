"""The pipelines of the GitLab stand-in: jobs with logs, and the hook that tells of their end."""

from collections.abc import Callable, Mapping
from typing import Any

PROJECT = 7


class Pipelines:
    """One merge request pipeline a commit; a job that ends again is a further attempt in it."""

    merge_requests: dict[int, dict[str, Any]]
    _next: Callable[[], int]
    _sha: Callable[[str], str]
    _tell: Callable[[str, str, Mapping[str, Any]], None]

    def __init__(self) -> None:
        self.pipelines: dict[int, dict[str, Any]] = {}
        self.logs: dict[int, str] = {}

    def end_job(
        self,
        iid: int,
        name: str,
        status: str,
        log: str = "",
        *,
        commit: str = "",
        reason: str = "script_failure",
        optional: bool = False,
        source: str = "merge_request_event",
    ) -> int:
        """Let a job end (`status` as GitLab calls it) on the newest commit of a merge request, or on
        `commit`; returns its id. While another job is running the bot hears nothing."""
        request = self.merge_requests[iid]
        sha = commit or self._sha(request["source_branch"])
        pipeline = next((each for each in self.pipelines.values() if each["sha"] == sha), None)
        if pipeline is None:
            number = self._next()
            pipeline = {"id": number, "sha": sha, "source": source, "jobs": []}
            pipeline["ref"] = f"refs/merge-requests/{iid}/head"
            self.pipelines[number] = pipeline
        job = {"id": self._next(), "name": name, "status": status, "allow_failure": optional}
        if status == "failed":
            job["failure_reason"] = reason
        pipeline["jobs"].append(job)
        self.logs[job["id"]] = log
        newest = {each["name"]: each for each in pipeline["jobs"]}
        states = {each["status"] for each in newest.values() if not each["allow_failure"]}
        pipeline["status"] = next((each for each in ("running", "failed") if each in states), "success")
        if pipeline["status"] != "running" and not commit:
            self._tell("Pipeline Hook", "wim", self._event(iid, pipeline))
        return int(job["id"])

    def _event(self, iid: int, pipeline: Mapping[str, Any]) -> dict[str, Any]:
        request = self.merge_requests[iid]
        names = ("source_branch", "target_branch", "source_project_id", "target_project_id")
        return {
            "object_kind": "pipeline",
            "object_attributes": {key: pipeline[key] for key in ("id", "ref", "sha", "source", "status")},
            "merge_request": {"iid": iid, **{name: request[name] for name in names}},
            "builds": [{**each, "stage": "test"} for each in pipeline["jobs"]],
        }

    def list_pipelines(self, call: Mapping[str, Any]) -> Any:
        sha = call["query"].get("sha")
        found = sorted(self.pipelines.values(), key=lambda each: -each["id"])
        kept = ("id", "sha", "ref", "source", "status")
        return [{key: each[key] for key in kept} for each in found if sha in (None, each["sha"])]

    def list_jobs(self, call: Mapping[str, Any], pipeline: str) -> Any:
        jobs = self.pipelines[int(pipeline)]["jobs"]
        if call["query"].get("include_retried", "").lower() not in ("1", "true"):
            jobs = list({each["name"]: each for each in jobs}.values())
        return list(reversed(jobs))

    def trace(self, _call: Any, job: str) -> bytes:
        return self.logs[int(job)].encode()
