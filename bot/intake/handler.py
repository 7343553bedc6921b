"""Handles one stored delivery: decide, and record the run together with the delivery's end."""

import logging
from collections.abc import Callable, Mapping, Sequence

from bot.behaviours.onboarding import MOST, onboarding
from bot.forges.events import BaseMoved, CiFinished, Commented, Ignored, Installed
from bot.forges.forge import Forge, ForgeUnavailable
from bot.forges.receiver import PayloadInvalid, Receiver
from bot.intake.base_moved import decide_base_moved
from bot.intake.ci import CiPassed, LeaveAlone, decide_ci
from bot.intake.commands import (
    AcceptSplit,
    AnswerScenarios,
    CancelAll,
    CancelRuns,
    InstructRun,
    StartRun,
    SteerRuns,
    decide,
    is_command,
)
from bot.intake.deliveries import Deliveries, Delivery
from bot.intake.history import with_history
from bot.intake.slices import make_issues
from bot.intake.target import target_of
from bot.log.events import Control, Controlled
from bot.log.state import fold
from bot.report.escape import MAX_BLOCK
from bot.storage.store import Store
from gherkin.errors import ScenaristError
from runners.contract.events import SplitProposed
from runners.contract.job import FEATURE

log = logging.getLogger(__name__)

_MAX_DELAY_S = 600.0
# A defect fails each time: after about ten minutes of attempts the delivery is closed. While the forge does
# not answer, attempts go on.
_MAX_ATTEMPTS = 8


class IntakeHandler:
    """`forge(name)` gives the adapter; `started(run_id)` is called for each new run, once it is stored,
    `controlled(run_id)` for each run that was cancelled. `onboards`: a new repository gets a pull request
    with a configuration."""

    def __init__(
        self,
        store: Store,
        deliveries: Deliveries,
        forge: Callable[[str], Forge],
        receivers: Mapping[str, Receiver],
        started: Callable[[str], None],
        controlled: Callable[[str], None],
        *,
        onboards: bool = True,
    ) -> None:
        self._store = store
        self._deliveries = deliveries
        self._forge = forge
        self._receivers = receivers
        self._started = started
        self._controlled = controlled
        self._onboards = onboards

    def handle(self, delivery_id: str) -> str | None:
        """Handle a delivery that nobody has handled yet; returns the id of the run it started, if any."""
        delivery = self._deliveries.get(delivery_id)
        if delivery is None:
            return None
        try:
            return self._handle(delivery)
        except Exception as error:
            log.exception("delivery %s could not be handled", delivery_id)
            reason = f"{ScenaristError.code}: {type(error).__name__}"
            if delivery.attempts + 1 < _MAX_ATTEMPTS:
                self._delay(delivery, reason)
            else:
                self._deliveries.close(delivery_id, f"{reason}, after {_MAX_ATTEMPTS} attempts")
            return None

    def _handle(self, delivery: Delivery) -> str | None:
        delivery_id = delivery.id
        try:
            event = self._receivers[delivery.forge].read(delivery.event, delivery.body)
            if isinstance(event, Commented) and self._is_idle_talk(event, delivery.forge):
                event = Ignored(reason="no run to tell")
            if isinstance(event, Installed):
                self._deliveries.close(delivery_id, self._onboard(event, delivery.forge))
                return None
            if isinstance(event, CiFinished):
                return self._ci(event, delivery)
            if isinstance(event, BaseMoved):
                return self._base_moved(event, delivery)
            decision = (
                event
                if isinstance(event, Ignored)
                else decide(event, self._forge(delivery.forge), delivery.id)
            )
            if isinstance(decision, AcceptSplit):
                self._deliveries.close(delivery_id, self._split(decision, self._forge(delivery.forge)))
                return None
        except PayloadInvalid as error:
            self._deliveries.close(delivery_id, f"invalid: {error}")
            return None
        except ForgeUnavailable as error:
            self._delay(delivery, str(error))
            return None
        except ScenaristError as error:
            log.warning("delivery %s: %s", delivery_id, error)
            self._deliveries.close(delivery_id, str(error))
            return None
        if isinstance(decision, Ignored):
            self._deliveries.close(delivery_id, decision.reason)
            return None
        if isinstance(decision, CancelAll):
            found = self._store.open_runs_in(delivery.forge, decision.repos, decision.installation)
            self._cancel(decision, found)
            self._deliveries.close(delivery_id, decision.reason)
            return None
        if isinstance(decision, CancelRuns):
            self._cancel(decision, self._store.open_runs(decision.target))
            self._deliveries.close(delivery_id, decision.reason)
            return None
        if isinstance(decision, SteerRuns):
            self._deliveries.close(delivery_id, self._steer(decision))
            return None
        if isinstance(decision, AnswerScenarios):
            self._deliveries.close(delivery_id, self._answer(decision))
            return None
        if isinstance(decision, InstructRun):
            return self._instruct(decision, delivery_id)
        return self._start(decision, delivery_id)

    def _onboard(self, event: Installed, forge: str) -> str:
        """Begin a run on each repository that the bot was given; what came of it.

        The runs come before the delivery's end: their keys keep a second attempt from beginning them again.
        """
        if not self._onboards:
            return "onboarding is switched off"
        begun = []
        for repo in event.repos[:MOST]:
            request, target = onboarding(forge, repo, event.installation, event.by, event.at)
            run_id = self._store.request_run(request, target=target, exclusive=True)
            if run_id is not None:
                begun.append(run_id)
                self._started(run_id)
        left = len(event.repos) - MOST
        more = f"; {left} more repositories are left to `scenarist onboard`" if left > 0 else ""
        return f"onboarding: {', '.join(begun) or 'nothing new'}{more}"

    def _ci(self, event: CiFinished, delivery: Delivery) -> str | None:
        """Repair, leave alone or note what a CI job's end says. Raises the forge's errors."""
        forge = self._forge(delivery.forge)
        decision = decide_ci(event, forge, self._store)
        if isinstance(decision, StartRun):
            return self._start(decision, delivery.id)
        if isinstance(decision, LeaveAlone):
            forge.upsert_comment(
                decision.repo, decision.pull, decision.marker, decision.text, None, on="pull"
            )
        self._deliveries.close(
            delivery.id, "the CI passed" if isinstance(decision, CiPassed) else decision.reason
        )
        return None

    def _base_moved(self, event: BaseMoved, delivery: Delivery) -> str | None:
        """Start the runs that bring pull requests up to date. Raises the forge's errors."""
        begun = []
        for start in decide_base_moved(event, self._forge(delivery.forge), self._store):
            request = with_history(start.request, self._store)
            run_id = self._store.request_run(request, target=start.target, exclusive=False)
            if run_id is not None:
                self._started(run_id)
                begun.append(run_id)
        self._deliveries.close(
            delivery.id, f"runs {', '.join(begun)}" if begun else "nothing to bring up to date"
        )
        return begun[0] if begun else None

    def _start(self, decision: StartRun, delivery_id: str) -> str | None:
        order = decision.request.order
        if order.kind == "implement" and not decision.request.approval and self._waiting(decision.target):
            # The label that asks for the code, set while scenarios wait, approves them.
            approved = AnswerScenarios(target=decision.target, by=order.requested_by, instructed=None)
            self._deliveries.close(delivery_id, self._answer(approved))
            return None
        run_id = self._store.request_run(
            with_history(decision.request, self._store),
            target=decision.target,
            exclusive=decision.exclusive,
            delivery_id=delivery_id,
        )
        if run_id is not None:
            self._started(run_id)
        return run_id

    def _delay(self, delivery: Delivery, reason: str) -> None:
        self._deliveries.delay(delivery.id, reason, min(2.0 * 2**delivery.attempts, _MAX_DELAY_S))

    def _steer(self, decision: SteerRuns) -> str:
        """Do what a maintainer's comment says; what came of it."""
        found = self._store.open_runs(decision.target)
        if decision.control == "retry":
            found = [row.id for row in self._store.list_runs(1, target=decision.target)]
        event = Controlled(
            control=decision.control,
            by=decision.by,
            phase=decision.phase,
            reason=f"{decision.by} said so in a comment.",
        )
        done = [run_id for run_id in found if self._store.control(run_id, event)]
        for run_id in done:
            self._controlled(run_id)
        return f"{decision.control}: {', '.join(done) or 'nothing to do'}"

    def _is_idle_talk(self, event: Commented, forge: str) -> bool:
        """Whether a comment is no command and no run would hear it: then nothing is asked of the forge."""
        if is_command(event.body):
            return False
        target = target_of(forge, event.repo.full_name, event.kind, event.number)
        newest = next(iter(self._store.list_runs(1, target=target)), None)
        return newest is None or newest.status not in ("active", "paused", "needs_info")

    def _answer(self, decision: AnswerScenarios) -> str:
        """Approve the scenarios that wait, or send them back; what came of it."""
        run_id = self._waiting(decision.target)
        if run_id is None:
            return "no scenarios wait for an approval"
        control: Control = "resume"
        if decision.instructed is not None and decision.instructed.corrects:
            shown = (self._store.artifact(run_id, FEATURE) or b"").decode(errors="replace")
            if len(shown) > MAX_BLOCK:
                return "the comment does not show all of the scenarios"
            if shown.strip() in decision.instructed.text:
                return "the scenarios are as they were"
        if decision.instructed is not None:
            self._store.instruct(run_id, decision.instructed)
            control = "respecify"
        event = Controlled(control=control, by=decision.by, reason=f"{decision.by} said so in a comment.")
        if not self._store.control(run_id, event):
            return "no scenarios wait for an approval"
        self._controlled(run_id)
        return f"{control}: {run_id}"

    def _split(self, decision: AcceptSplit, forge: Forge) -> str:
        newest = next(iter(self._store.list_runs(1, target=decision.target)), None)
        if newest is None or newest.status != "needs_info":
            return "no split was proposed"
        events = [entry.event for entry in self._store.entries(newest.id)]
        proposed = next((event for event in reversed(events) if isinstance(event, SplitProposed)), None)
        return make_issues(decision, proposed.stories, forge) if proposed else "no split was proposed"

    def _waiting(self, target: str) -> str | None:
        """The run on `target` whose scenarios wait for an approval."""
        newest = next(iter(self._store.list_runs(1, target=target)), None)
        waits = newest is not None and fold(self._store.entries(newest.id)).waits_for_approval
        return newest.id if newest is not None and waits else None

    def _instruct(self, decision: InstructRun, delivery_id: str) -> str | None:
        newest = next(iter(self._store.list_runs(1, target=decision.target)), None)
        if decision.respecify and self._waiting(decision.target):
            answer = AnswerScenarios(
                target=decision.target, by=decision.instructed.by, instructed=decision.instructed
            )
            self._deliveries.close(delivery_id, self._answer(answer))
            return None
        waits = newest is not None and newest.status == "needs_info"
        if waits and decision.otherwise is not None:
            return self._start(decision.otherwise, delivery_id)
        told = newest is not None and self._store.instruct(newest.id, decision.instructed)
        self._deliveries.close(delivery_id, "told the run" if told else "no run to tell")
        return None

    def _cancel(self, decision: CancelRuns | CancelAll, found: Sequence[str]) -> None:
        """Cancel all the runs given, even if cancelling one fails; raises that error at the end."""
        cancel = Controlled(control="cancel", by=decision.by, reason=f"{decision.reason} by {decision.by}.")
        failed: Exception | None = None
        for run_id in found:
            try:
                cancelled = self._store.control(run_id, cancel)
            except Exception as error:
                log.warning("run %s could not be cancelled (%s)", run_id, type(error).__name__)
                failed = error
                continue
            if cancelled:
                self._controlled(run_id)
        if failed is not None:
            raise failed
