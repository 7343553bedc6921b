"""Workflows of GitHub Actions on the GitHub stand-in that are started by a dispatch.

https://docs.github.com/en/rest/actions/workflows, https://docs.github.com/en/rest/actions/workflow-runs
"""

import re
import threading
from collections.abc import Callable
from typing import Any

import yaml

from runners.git.command import read_blob
from tests.standins.github_state import Refusal, now

_RUNS = "/repos/{owner}/{repo}/actions/workflows/{workflow_id}/runs"


class Workflows:
    """A dispatched workflow waits as `queued` until a test's runner takes it with `take_job`."""

    root: str
    repo: str
    bare: Any
    default_branch: str
    _lock: threading.RLock
    _next_id: Callable[[], int]
    _ref: Callable[[str], str]
    _template: Callable[..., Any]

    def __init__(self) -> None:
        self.workflow_runs: list[dict[str, Any]] = []

    def take_job(self) -> dict[str, Any] | None:
        """Begin the oldest run of a workflow that waits, as a self-hosted runner does; None if none waits."""
        with self._lock:
            for run in self.workflow_runs:
                if run["status"] == "queued":
                    run["status"] = "in_progress"
                    return run
        return None

    def end_workflow(self, run: dict[str, Any], conclusion: str) -> None:
        """Let a run of a workflow end, unless it was cancelled before."""
        with self._lock:
            if run["status"] != "completed":
                run |= {"status": "completed", "conclusion": conclusion}

    def dispatch(self, call: Any, workflow: str) -> tuple[int, Any]:
        """Start a workflow, as strictly as GitHub: trigger, reference and inputs must be what the file says."""
        read = read_blob(self.bare, self.default_branch, f".github/workflows/{workflow}")
        if read is None:
            raise Refusal(404, "Not Found")
        source = yaml.safe_load(read)
        triggers = source.get("on", source.get(True)) or {}
        if "workflow_dispatch" not in triggers:
            raise Refusal(422, "Workflow does not have 'workflow_dispatch' trigger")
        if not self._ref(call.body["ref"]):
            raise Refusal(422, f"No ref found for: {call.body['ref']}")
        declared = (triggers["workflow_dispatch"] or {}).get("inputs") or {}
        given = call.body.get("inputs", {})
        unexpected = sorted(given.keys() - declared.keys())
        if unexpected:
            raise Refusal(422, f"Unexpected inputs provided: {unexpected}")
        for name, about in declared.items():
            if (about or {}).get("required") and not given.get(name):
                raise Refusal(422, f"Required input '{name}' not provided")
        title = re.sub(
            r"\$\{\{ *inputs\.(\w+) *\}\}",
            lambda found: str(given.get(found[1], "")),
            source.get("run-name", source.get("name", workflow)),
        )
        number = self._next_id()
        self.workflow_runs.append(
            {
                "id": number,
                "workflow": workflow,
                "display_title": title,
                "event": "workflow_dispatch",
                "status": "queued",
                "conclusion": None,
                "html_url": f"{self.root}/{self.repo}/actions/runs/{number}",
                "created_at": now(),
                "inputs": given,
                "source": source,
            }
        )
        return 204, None

    def list_workflow_runs(self, call: Any, workflow: str) -> tuple[int, Any]:
        template = self._template("get", _RUNS)["workflow_runs"][0]
        found = [
            {**template, **{key: each[key] for key in each.keys() - {"workflow", "inputs", "source"}}}
            for each in reversed(self.workflow_runs)
            if each["workflow"] == workflow and call.query.get("event", each["event"]) == each["event"]
        ]
        return 200, {"total_count": len(found), "workflow_runs": found[: int(call.query.get("per_page", 30))]}

    def cancel_workflow(self, _call: Any, run: str) -> tuple[int, Any]:
        for each in self.workflow_runs:
            if each["id"] == int(run):
                if each["status"] == "completed":
                    raise Refusal(409, "Cannot cancel a workflow run that is completed.")
                each |= {"status": "completed", "conclusion": "cancelled"}
                return 202, {}
        raise Refusal(404, "Not Found")
