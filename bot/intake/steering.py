"""What commands and answers do to the runs that are there: steer, approve, adjust, tell."""

from collections.abc import Callable

from bot.intake.decisions.by_comment import AdjustRun
from bot.intake.decisions.work_orders import AcceptSplit, AnswerScenarios, InstructRun, SteerRuns
from bot.log.events import Adjusted, Control, Controlled
from bot.log.state import fold
from bot.report.escape import MAX_BLOCK
from bot.storage.run_reads import RunRow
from bot.storage.store import Store
from gherkin.issue.slicing import Slice
from gherkin.values import Frozen
from runners.contract.events import SplitProposed
from runners.contract.job import FEATURE

_HOUR_S = 3600.0
_MAX_AN_HOUR = 20


class Effect(Frozen):
    """What came of a decision: whether it had an effect, and what is noted with its delivery."""

    done: bool
    outcome: str


class Steering:
    """`controlled(run_id)` is called for each run whose course was changed.

    `cause` names the command of a comment that asks for a change. A command that was carried out before its
    worker was killed is not carried out again; its effect is the same.
    """

    def __init__(self, store: Store, controlled: Callable[[str], None]) -> None:
        self._store = store
        self._controlled = controlled

    def newest(self, target: str) -> RunRow | None:
        """Return the newest run on `target`."""
        return next(iter(self._store.list_runs(1, target=target)), None)

    def waiting(self, target: str) -> str | None:
        """Return the run on `target` whose scenarios wait for an approval."""
        newest = self.newest(target)
        waits = newest is not None and fold(self._store.entries(newest.id)).waits_for_approval
        return newest.id if newest is not None and waits else None

    def is_approved_now(self, target: str) -> bool:
        """Return whether the scenarios of the newest run on `target` are approved and it goes on."""
        newest = self.newest(target)
        if newest is None or newest.status != "active":
            return False
        return bool(fold(self._store.entries(newest.id)).approved_by)

    def has_too_many(self, target: str) -> bool:
        """Return whether a pull request was revised so often that something must be wrong."""
        since = self._store.clock() - _HOUR_S
        rows = self._store.list_runs(_MAX_AN_HOUR, target=target)
        return len(rows) == _MAX_AN_HOUR and all(row.created_at > since for row in rows)

    def steer(self, decision: SteerRuns, cause: str) -> Effect:
        """Pause, resume, cancel or retry what is on a target."""
        if before := self._store.caused(decision.target, cause):
            return Effect(done=True, outcome=f"{decision.control}: {', '.join(before)}")
        found = self._store.open_runs(decision.target)
        newest = self.newest(decision.target)
        if decision.control == "retry":
            found = [newest.id] if newest is not None else []
        elif decision.control == "resume":
            # Scenarios that wait are approved by those who may do that.
            waits = self.waiting(decision.target)
            found = [run_id for run_id in found if run_id != waits]
        event = Controlled(
            control=decision.control,
            by=decision.by,
            phase=decision.phase,
            reason=f"{decision.by} said so in a comment.",
            cause=cause,
        )
        done = [run_id for run_id in found if self._store.control(run_id, event)]
        for run_id in done:
            self._controlled(run_id)
        return Effect(done=bool(done), outcome=f"{decision.control}: {', '.join(done) or 'nothing to do'}")

    def answer(self, decision: AnswerScenarios, cause: str = "") -> Effect:
        """Approve the scenarios that wait, or send them back."""
        control: Control = "resume" if decision.instructed is None else "respecify"
        if cause and (before := self._store.caused(decision.target, cause)):
            return Effect(done=True, outcome=f"{control}: {before[-1]}")
        nothing = Effect(done=False, outcome="no scenarios wait for an approval")
        run_id = self.waiting(decision.target)
        if run_id is None:
            return nothing
        if decision.instructed is not None and fold(self._store.entries(run_id)).waits_at_node:
            return Effect(done=False, outcome="the run waits for `/agent approve` or `/agent cancel`")
        if decision.instructed is not None and decision.instructed.corrects:
            shown = (self._store.artifact(run_id, FEATURE) or b"").decode(errors="replace")
            if len(shown) > MAX_BLOCK:
                return Effect(done=False, outcome="the comment does not show all of the scenarios")
            if shown.strip() in decision.instructed.text:
                return Effect(done=False, outcome="the scenarios are as they were")
        if decision.instructed is not None:
            self._store.instruct(run_id, decision.instructed)
        reason = f"{decision.by} said so in a comment."
        event = Controlled(control=control, by=decision.by, reason=reason, cause=cause)
        if not self._store.control(run_id, event):
            return nothing
        self._controlled(run_id)
        return Effect(done=True, outcome=f"{control}: {run_id}")

    def tell(self, decision: InstructRun) -> Effect:
        """Tell the newest run on a target what somebody wrote."""
        newest = self.newest(decision.target)
        told = newest is not None and self._store.instruct(newest.id, decision.instructed)
        return Effect(done=told, outcome="told the run" if told else "no run to tell")

    def adjust(self, decision: AdjustRun, cause: str) -> Effect:
        """Note another budget or model with the newest run on a target."""
        if before := self._store.caused(decision.target, cause):
            return Effect(done=True, outcome=f"adjusted: {before[-1]}")
        newest = self.newest(decision.target)
        if newest is None or newest.status == "done":
            return Effect(done=False, outcome="no run to adjust")
        adjusted = Adjusted(by=decision.by, turns=decision.turns, model=decision.model, cause=cause)
        self._store.note(newest.id, adjusted)
        self._controlled(newest.id)
        return Effect(done=True, outcome=f"adjusted: {newest.id}")

    def proposed(self, decision: AcceptSplit) -> tuple[Slice, ...]:
        """Return the stories that the newest run proposed to split its issue into; empty if it did not."""
        newest = self.newest(decision.target)
        if newest is None or newest.status != "needs_info":
            return ()
        events = [entry.event for entry in self._store.entries(newest.id)]
        found = next((event for event in reversed(events) if isinstance(event, SplitProposed)), None)
        return found.stories if found else ()
