"""The tools of `scenarist mcp serve`: list runs, read their state and verdicts, and start one."""

import getpass
import time
from datetime import UTC, datetime
from typing import Any

from bot.config.settings import Settings
from bot.forges.events import IssueLabelled
from bot.forges.forge import Account, Repo
from bot.forges.registry.adapters import Forges
from bot.intake.decisions.work_orders import StartRun, implement
from bot.intake.history import with_history
from bot.log.state import RunState, fold
from bot.runs.control import RunUnknown
from bot.storage.listing import RunFilter, find_runs
from bot.storage.store import open_store
from gherkin.errors import ScenaristError
from runners.policy.plaintext import one_line, without_controls

_MOST = 100
_MAX_TEXT = 2_000


class NotStarted(ScenaristError):
    """No run was started for an issue."""

    code = "SCN-7054"
    next_step = "Look at the issue, and at the runs for it with `scenarist runs`."


class RunTools:
    """The tools, with the rights of the account that runs the command: the database and the forge's
    credentials.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._store = open_store(settings.database)

    def list_runs(self, repo: str = "", state: str = "", limit: int = 20) -> list[dict[str, Any]]:
        """List the newest runs. `repo` is OWNER/NAME; `state` is open, active, paused, done, needs_info,
        gave_up, failed or cancelled; both may be left out. `limit` is at most 100."""
        chosen = RunFilter(repo=repo, state=state, kind="", person="")
        found = find_runs(self._store.engine, chosen, None, time.time(), max(1, min(limit, _MOST)))
        return [
            {
                "run": each.id,
                "repository": each.repo,
                "number": each.number,
                "title": one_line(each.title),
                "kind": each.kind,
                "state": each.status,
                "standing": each.standing,
                "pull_request": each.pull or None,
                "cost_usd": round(each.cost, 4),
            }
            for each in found
        ]

    def run_status(self, run: str) -> dict[str, Any]:
        """Say how a run stands: state, phase, reason, scenarios, pull request, and what it waits for."""
        state = self._state(run)
        order = state.requested.order if state.requested else None
        return {
            "run": run,
            "repository": state.requested.repo if state.requested else "",
            "title": one_line(order.title) if order else "",
            "state": state.status,
            "phase": state.phase,
            "waits_for_approval": state.waits_for_approval,
            "reason": _text(state.reason),
            "error": state.code or None,
            "scenarios": [one_line(name) for name in state.spec.scenarios] if state.spec else [],
            "verdict": state.verdict.status if state.verdict else None,
            "pull_request": state.published.pull if state.published else None,
            "updated_at": state.updated_at,
        }

    def verdict(self, run: str) -> dict[str, Any]:
        """Return the newest verdict of a run: its status, scenarios before and after, and problems."""
        verdict = self._state(run).verdict
        if verdict is None:
            return {"run": run, "status": None}
        return {
            "run": run,
            "status": verdict.status,
            "base": verdict.base_sha,
            "head": verdict.head_sha,
            "scenarios": [each.model_dump(mode="json") for each in verdict.scenarios],
            "problems": [
                {"code": each.code, "message": _text(each.message)} for each in verdict.problems[:_MOST]
            ],
            "suites": [each.model_dump(mode="json") for each in verdict.suites],
        }

    def start_run(self, repo: str, issue: int, forge: str = "github") -> dict[str, Any]:
        """Start a run for an issue, as its label would. `repo` is OWNER/NAME, `forge` github, gitlab or
        local. Returns the run's id; use `run_status` to follow it."""
        adapter = Forges(self._settings, self._store)(forge)
        place = Repo(full_name=repo)
        found = adapter.issue(place, issue)
        event = IssueLabelled(
            repo=place,
            number=issue,
            label=self._settings.trigger_label,
            title=found.title,
            body=found.body,
            at=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            sender=Account(id=0, login=getpass.getuser()),
        )
        decision = implement(event, adapter, f"mcp {time.time_ns()}", by_label=False)
        if not isinstance(decision, StartRun):
            raise NotStarted(f"No run was started for {repo}#{issue}: {decision.reason}.")
        request = with_history(decision.request, self._store)
        run = self._store.request_run(request, target=decision.target, exclusive=decision.exclusive)
        if run is None:
            raise NotStarted(f"A run for {repo}#{issue} is active already.")
        return {"run": run}

    def _state(self, run: str) -> RunState:
        if not self._store.has_run(run):
            raise RunUnknown(f"There is no run {one_line(run, 60)}.")
        return fold(self._store.entries(run))


def _text(text: str) -> str:
    return without_controls(text)[:_MAX_TEXT]
