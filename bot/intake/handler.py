"""Handles one stored delivery: decide, and record the run together with the delivery's end."""

import logging
from collections.abc import Callable, Mapping, Sequence

from structlog.contextvars import bind_contextvars, bound_contextvars

from bot.behaviours import replies
from bot.behaviours.onboarding import MOST, onboarding
from bot.behaviours.target import target_of
from bot.comment_commands.parser import CommentCommand, added, apart, mentions, parse
from bot.forges.events import (
    BaseMoved,
    CiFinished,
    Commented,
    Ignored,
    Installed,
    IssueLabelled,
    Reopened,
    Reverted,
    Reverts,
    ReviewCommented,
    ReviewSubmitted,
    Withdrawn,
)
from bot.forges.forge import Forge, ForgeUnavailable, Repo
from bot.forges.receiver import PayloadInvalid, Receiver
from bot.intake.command_handler import CommandHandler, acknowledge, acknowledge_label, acknowledge_remarks
from bot.intake.decisions.base_moved import decide_base_moved
from bot.intake.decisions.by_comment import as_comment, decide_comment, may_approve
from bot.intake.decisions.ci import CiPassed, LeaveAlone, decide_ci
from bot.intake.decisions.work_orders import (
    AnswerScenarios,
    CancelAll,
    CancelRuns,
    Decision,
    InstructRun,
    LabelRefused,
    StartRun,
    decide,
)
from bot.intake.deliveries import Deliveries, Delivery
from bot.intake.history import with_history
from bot.intake.outcomes import Outcomes
from bot.intake.steering import Effect, Steering
from bot.intake.together import joined
from bot.log.events import JOINED, Controlled, RunRequested
from bot.log.state import fold
from bot.storage.store import Store
from gherkin.errors import ScenaristError, described

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
        self._steering = Steering(store, controlled)
        self._outcomes = Outcomes(store, controlled)
        self._commands = CommandHandler(store, self._steering, self._start)

    def handle(self, delivery_id: str) -> str | None:
        """Handle a delivery that nobody has handled yet; returns the id of the run it started, if any."""
        delivery = self._deliveries.get(delivery_id)
        if delivery is None:
            return None
        with bound_contextvars(delivery=delivery_id, repository=""):
            return self._try(delivery)

    def _try(self, delivery: Delivery) -> str | None:
        try:
            return self._handle(delivery)
        except Exception as error:
            log.exception("delivery %s could not be handled", delivery.id)
            reason = f"{ScenaristError.code}: {type(error).__name__}"
            if delivery.attempts + 1 < _MAX_ATTEMPTS:
                self._delay(delivery, reason)
            else:
                self._deliveries.close(delivery.id, f"{reason}, after {_MAX_ATTEMPTS} attempts")
            return None

    def _handle(self, delivery: Delivery) -> str | None:
        delivery_id = delivery.id
        try:
            event = self._receivers[delivery.forge].read(delivery.event, delivery.body)
            if isinstance(repo := getattr(event, "repo", None), Repo):
                bind_contextvars(repository=repo.full_name)
            if isinstance(event, Installed):
                self._deliveries.close(delivery_id, self._onboard(event, delivery.forge))
                return None
            if isinstance(event, Commented):
                return self._comment(event, delivery)
            if isinstance(event, CiFinished):
                return self._ci(event, delivery)
            if isinstance(event, BaseMoved):
                return self._base_moved(event, delivery)
            if isinstance(event, Reopened):
                self._deliveries.close(delivery_id, self._outcomes.reopened(event, delivery.forge))
                return None
            if isinstance(event, Reverted):
                self._deliveries.close(delivery_id, self._outcomes.reverted(event, delivery.forge))
                return None
            decision = (
                event
                if isinstance(event, Ignored)
                else decide(event, self._forge(delivery.forge), delivery.id)
            )
            if isinstance(event, IssueLabelled) and isinstance(decision, StartRun):
                decision = self._with_approval(event, decision, delivery)
            if isinstance(event, ReviewSubmitted | ReviewCommented):
                return self._review(event, decision, delivery)
            if isinstance(decision, LabelRefused) and isinstance(event, IssueLabelled):
                self._forge(delivery.forge).upsert_comment(
                    event.repo, event.number, decision.marker, decision.text, None, on="issue"
                )
            if isinstance(event, Withdrawn) and event.end is not None:
                self._outcomes.ended(event, event.end, self._forge(delivery.forge))
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
        if isinstance(decision, AnswerScenarios):
            self._noted(self._steering.answer(decision), delivery_id)
            return None
        if isinstance(event, IssueLabelled):
            acknowledge_label(self._forge(delivery.forge), event)
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

    def _comment(self, event: Commented, delivery: Delivery) -> str | None:
        """Do what a comment says. Raises the forge's errors."""
        # The bot's own name is asked of the forge only where somebody is mentioned.
        login = self._forge(delivery.forge).login(event.repo) if "@" in event.body else ""
        commands = parse(event.body, login)
        if event.before:
            # An edit says nothing new but for a command that it adds.
            commands = added(parse(event.before, login), commands)
        if not commands and (event.before or self._is_idle_talk(event, delivery.forge)):
            if event.before or not mentions(event.body, login):
                self._deliveries.close(delivery.id, "no run to tell")
                return None
            # Who mentions the bot where no run hears it gets the list of commands.
            commands = (CommentCommand(name="help"),)
        forge = self._forge(delivery.forge)
        decision = decide_comment(event, forge, delivery.id, commands)
        if isinstance(decision, Ignored):
            self._deliveries.close(delivery.id, decision.reason)
            return None
        acknowledge(forge, event)
        if isinstance(decision, InstructRun):
            return self._instruct(decision, delivery.id)
        done = self._commands.handle(decision, forge, delivery.id)
        if not done.closed:
            self._deliveries.close(delivery.id, done.outcome)
        return done.run_id

    def _with_approval(self, event: IssueLabelled, decision: StartRun, delivery: Delivery) -> StartRun:
        """Note whether a label may approve the scenarios that wait, if any do. Raises the forge's errors."""
        if not self._steering.waiting(decision.target):
            return decision
        forge = self._forge(delivery.forge)
        approves = may_approve(event, forge, forge.permission(event.repo, event.sender))
        return decision.model_copy(update={"approves": approves})

    def _review(
        self, event: ReviewSubmitted | ReviewCommented, decision: Decision, delivery: Delivery
    ) -> str | None:
        """Begin the revision that a review asks for, then carry out the commands in the event's own text.

        Raises the forge's errors.
        """
        forge = self._forge(delivery.forge)
        _, commands = apart(event.body, forge.login(event.repo) if "@" in event.body else "")
        run_id, outcome = None, decision.reason if isinstance(decision, Ignored) else ""
        if isinstance(decision, StartRun):
            threads = decision.request.order.threads
            remarks = [event.comment] if isinstance(event, ReviewCommented) else [each.id for each in threads]
            acknowledge_remarks(forge, event.repo, event.pull, remarks)
            run_id = self._start(decision, None if commands else delivery.id)
        if commands:
            said = as_comment(event)
            commanded = decide_comment(said, forge, delivery.id, commands)
            if isinstance(commanded, tuple):
                acknowledge(forge, said)
                done = self._commands.handle(commanded, forge, delivery.id, closes=False)
                run_id, outcome = run_id or done.run_id, done.outcome
        if commands or not isinstance(decision, StartRun):
            self._deliveries.close(delivery.id, outcome)
        return run_id

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
        outcome = self._passed(decision, forge) if isinstance(decision, CiPassed) else decision.reason
        self._deliveries.close(delivery.id, outcome)
        return None

    def _passed(self, decision: CiPassed, forge: Forge) -> str:
        """Mark the draft of a proven change as ready for review, where the repository wants that."""
        pull = decision.pull
        run_id = self._store.published_by(forge.kind, decision.repo.full_name, pull.head_sha)
        state = fold(self._store.entries(run_id)) if run_id is not None else None
        proven = state is not None and state.verdict is not None and state.verdict.green
        if state is None or not pull.draft or not proven or not state.settings.ci.ready:
            return "the CI passed"
        forge.set_ready(decision.repo, pull.number)
        return "the CI passed: ready for review"

    def _base_moved(self, event: BaseMoved, delivery: Delivery) -> str | None:
        """Start the runs that bring pull requests up to date. Raises the forge's errors."""
        if event.reverts != Reverts():
            self._outcomes.reverted(event, delivery.forge)
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

    def _start(self, decision: StartRun, delivery_id: str | None) -> str | None:
        """Begin a run, or do what stands in its place; closes the delivery, if it is given one."""
        order = decision.request.order
        if (
            order.kind == "implement"
            and not decision.request.approval
            and decision.approves
            and self._steering.waiting(decision.target)
        ):
            # The label that asks for the code, set while scenarios wait, approves them.
            approved = AnswerScenarios(target=decision.target, by=order.requested_by, instructed=None)
            self._noted(self._steering.answer(approved), delivery_id)
            return None
        if order.kind == "revise" and self._steering.has_too_many(decision.target):
            self._noted(Effect(done=False, outcome="too many revisions within an hour"), delivery_id)
            self._say_enough(decision.request)
            return None
        request, other = joined(decision.request, decision.target, self._store)
        run_id = self._store.request_run(
            with_history(request, self._store),
            target=decision.target,
            exclusive=decision.exclusive,
            delivery_id=delivery_id,
        )
        if run_id is not None:
            self._started(run_id)
            if other:
                cancel = Controlled(control="cancel", by=order.requested_by, reason=JOINED)
                self._store.control(other, cancel)
                self._controlled(other)
        return run_id

    def _say_enough(self, request: RunRequested) -> None:
        """Tell the people of a pull request, once, that there are too many revisions of it."""
        repo = Repo(full_name=request.repo, installation=request.installation)
        pull = request.order.pull or 0
        said = replies.enough(pull)
        self._forge(request.forge).upsert_comment(repo, pull, said.marker, said.text, None, on="pull")

    def _delay(self, delivery: Delivery, reason: str) -> None:
        self._deliveries.delay(delivery.id, reason, min(2.0 * 2**delivery.attempts, _MAX_DELAY_S))

    def _is_idle_talk(self, event: Commented, forge: str) -> bool:
        """Return whether no run would hear a comment: then nothing is asked of the forge."""
        target = target_of(forge, event.repo.full_name, event.kind, event.number)
        newest = next(iter(self._store.list_runs(1, target=target)), None)
        return newest is None or newest.status not in ("active", "paused", "needs_info")

    def _instruct(self, decision: InstructRun, delivery_id: str) -> str | None:
        newest = self._steering.newest(decision.target)
        if decision.respecify and self._steering.waiting(decision.target):
            answer = AnswerScenarios(
                target=decision.target, by=decision.instructed.by, instructed=decision.instructed
            )
            self._noted(self._steering.answer(answer), delivery_id)
            return None
        waits = newest is not None and newest.status == "needs_info"
        if waits and decision.otherwise is not None:
            return self._start(decision.otherwise, delivery_id)
        self._noted(self._steering.tell(decision), delivery_id)
        return None

    def _noted(self, effect: Effect, delivery_id: str | None) -> None:
        if delivery_id is not None:
            self._deliveries.close(delivery_id, effect.outcome)

    def _cancel(self, decision: CancelRuns | CancelAll, found: Sequence[str]) -> None:
        """Cancel all the runs given, even if cancelling one fails; raises that error at the end."""
        cancel = Controlled(control="cancel", by=decision.by, reason=f"{decision.reason} by {decision.by}.")
        failed: Exception | None = None
        for run_id in found:
            try:
                cancelled = self._store.control(run_id, cancel)
            except Exception as error:
                log.warning("run %s could not be cancelled: %s", run_id, described(error))
                failed = error
                continue
            if cancelled:
                self._controlled(run_id)
        if failed is not None:
            raise failed
