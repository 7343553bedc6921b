"""The jobs of GitHub Actions on the GitHub stand-in: their check runs, logs and events."""

import threading
from collections.abc import Callable
from typing import Any

ACTIONS = "github-actions"


class Jobs:
    """Each attempt of a job is a check run of its own, whose id is the job's."""

    root: str
    bare: Any
    checks: dict[int, dict[str, Any]]
    pulls: dict[int, dict[str, Any]]
    _lock: threading.RLock
    _next_id: Callable[[], int]
    _ref: Callable[[str], str]
    _template: Callable[..., Any]
    send: Callable[..., None]

    def __init__(self) -> None:
        self.logs: dict[int, str] = {}
        self.waiting_jobs = False  # whether the workflow has jobs that have not begun

    def end_job(
        self, pull: int, name: str, conclusion: str | None, log: str = "", *, commit: str = ""
    ) -> int:
        """Let a job end on the newest commit of a pull request, or on `commit`; returns its id.

        Without a `conclusion` the job is running. The bot hears of the end on the newest commit.
        """
        with self._lock:
            number = self._next_id()
            self.checks[number] = {
                "id": number,
                "name": name,
                "head_sha": commit or self.pulls[pull]["sha"],
                "external_id": "",
                "status": "completed" if conclusion else "in_progress",
                "conclusion": conclusion,
                "title": None,
                "summary": None,
                "annotations": [],
                "slug": ACTIONS,
            }
            self.logs[number] = log
        if conclusion and not commit:
            run = {key: self.checks[number][key] for key in ("id", "name", "head_sha", "conclusion")}
            suite = {"head_branch": self.pulls[pull]["head"]}
            app = {"slug": ACTIONS}
            self.send("check_run", "completed", "ada", check_run={**run, "check_suite": suite, "app": app})
        return number

    def list_suites(self, _call: Any, sha: str) -> tuple[int, Any]:
        """One suite for each App, and one that an App has made and never uses, as GitHub does."""
        sha = self._ref(sha) or sha
        path = "/repos/{owner}/{repo}/commits/{ref}/check-suites"
        template = self._template("get", path)["check_suites"][0]
        own = [each for each in self.checks.values() if each["head_sha"] == sha]
        found = []
        for number, slug in enumerate(("scenarist", ACTIONS, "never-used"), 1):
            runs = [each for each in own if each.get("slug", "scenarist") == slug]
            done = bool(runs) and all(each["status"] == "completed" for each in runs)
            done = done and not (slug == ACTIONS and self.waiting_jobs)
            suite = {"id": number, "head_sha": sha, "latest_check_runs_count": len(runs)}
            suite |= {"status": "completed" if done else "queued", "conclusion": "neutral" if done else None}
            found.append({**template, **suite, "app": {**template["app"], "slug": slug}})
        return 200, {"total_count": len(found), "check_suites": found}

    def job_logs(self, call: Any, job: str) -> tuple[int, Any]:
        """Lead to the log, which lies elsewhere."""
        call.answered["Location"] = f"{self.root}/_logs/{job}"
        return 302, {}
