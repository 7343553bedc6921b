"""Carries out the command of a comment, and answers it once."""

import logging
from collections.abc import Callable

from bot.behaviours import explain, replies
from bot.forges.events import Commented
from bot.forges.forge import Forge
from bot.intake.decisions.by_comment import AdjustRun, Commanded, MakeReady, Refused, Tell
from bot.intake.decisions.work_orders import AcceptSplit, AnswerScenarios, InstructRun, StartRun, SteerRuns
from bot.intake.slices import make_issues
from bot.intake.steering import Steering
from bot.log.events import Control
from bot.log.state import fold
from bot.storage.store import Store
from gherkin.errors import ScenaristError
from gherkin.values import Frozen

log = logging.getLogger(__name__)


class Done(Frozen):
    """What came of a command: a note for its delivery, and the run it began.

    `closed` says that the delivery is closed already, together with the run's beginning.
    """

    outcome: str = ""
    run_id: str | None = None
    closed: bool = False


class CommandHandler:
    """`start(decision, delivery_id)` begins a run, closes the delivery and returns the run's id, if any."""

    def __init__(
        self, store: Store, steering: Steering, start: Callable[[StartRun, str], str | None]
    ) -> None:
        self._store = store
        self._steering = steering
        self._start = start

    def handle(self, commanded: Commanded, forge: Forge, delivery_id: str) -> Done:
        """Do what a command says. Raises the forge's errors.

        What begins a run is answered by the run's own comment, all else by a reply.
        """
        then = commanded.then
        if isinstance(then, StartRun):
            return self._begin(commanded, then, forge, delivery_id)
        if isinstance(then, AnswerScenarios):
            return self._scenarios(commanded, then, forge, delivery_id)
        if isinstance(then, InstructRun):
            return self._kind(commanded, then, forge, delivery_id)
        if isinstance(then, Refused):
            return self._reply(commanded, forge, then.text, then.reason, then.stranger)
        if isinstance(then, Tell):
            return self._reply(commanded, forge, self._told(commanded, then, forge), then.what)
        if isinstance(then, AcceptSplit):
            return self._split(commanded, then, forge)
        if isinstance(then, SteerRuns):
            effect = self._steering.steer(then)
            return self._reply(
                commanded, forge, replies.steered(then.control, done=effect.done), effect.outcome
            )
        if isinstance(then, AdjustRun):
            effect = self._steering.adjust(then)
            text = replies.adjusted(then.turns, then.model) if effect.done else replies.NO_RUN
            return self._reply(commanded, forge, text, effect.outcome)
        return self._ready(commanded, then, forge)

    def _begin(self, commanded: Commanded, then: StartRun, forge: Forge, delivery_id: str) -> Done:
        run_id = self._start(then, delivery_id)
        if run_id is None and not self._steering.is_approved_now(then.target):
            self._answer(commanded, forge, replies.AT_WORK)
        return Done(run_id=run_id, closed=True)

    def _scenarios(self, commanded: Commanded, then: AnswerScenarios, forge: Forge, delivery_id: str) -> Done:
        effect = self._steering.answer(then)
        if not effect.done and then.otherwise is not None:
            return self._begin(commanded, then.otherwise, forge, delivery_id)
        control: Control = "respecify" if then.instructed is not None else "resume"
        if effect.done:
            text = replies.steered(control, done=True) if then.instructed is not None else replies.APPROVED
        else:
            text = replies.steered("respecify", done=False)
        return self._reply(commanded, forge, text, effect.outcome)

    def _kind(self, commanded: Commanded, then: InstructRun, forge: Forge, delivery_id: str) -> Done:
        if self._steering.waiting(then.target):
            answer = AnswerScenarios(target=then.target, by=then.instructed.by, instructed=then.instructed)
            effect = self._steering.answer(answer)
            return self._reply(commanded, forge, replies.steered("respecify", done=True), effect.outcome)
        newest = self._steering.newest(then.target)
        if newest is not None and newest.status == "needs_info" and then.otherwise is not None:
            return self._begin(commanded, then.otherwise, forge, delivery_id)
        effect = self._steering.tell(then)
        return self._reply(commanded, forge, replies.KIND if effect.done else replies.NO_RUN, effect.outcome)

    def _split(self, commanded: Commanded, then: AcceptSplit, forge: Forge) -> Done:
        stories = self._steering.proposed(then)
        if not stories:
            return self._reply(commanded, forge, replies.NO_SPLIT, "no split was proposed")
        return Done(outcome=make_issues(then, stories, forge))

    def _ready(self, commanded: Commanded, then: MakeReady, forge: Forge) -> Done:
        forge.set_ready(then.repo, then.number)
        return self._reply(commanded, forge, replies.READY, "ready for review")

    def _told(self, commanded: Commanded, then: Tell, forge: Forge) -> str:
        event = commanded.event
        if then.what == "help":
            return replies.help_text(event.kind)
        newest = self._steering.newest(then.target)
        run_id = newest.id if newest is not None else None
        if run_id is None and event.kind == "pull":
            # Nobody has asked for a revision yet: what made the pull request is told of.
            head = forge.pull(event.repo, event.number).head_sha
            run_id = self._store.published_by(forge.kind, event.repo.full_name, head)
        if run_id is None:
            return replies.NO_RUN
        entries = self._store.entries(run_id)
        state = fold(entries)
        return (
            explain.status(run_id, state) if then.what == "status" else explain.explanation(run_id, entries)
        )

    def _reply(self, commanded: Commanded, forge: Forge, text: str, outcome: str, stranger: int = 0) -> Done:
        self._answer(commanded, forge, text, stranger)
        return Done(outcome=outcome)

    def _answer(self, commanded: Commanded, forge: Forge, text: str, stranger: int = 0) -> None:
        event = commanded.event
        said = replies.reply(event.comment, commanded.command, text, more=commanded.more, stranger=stranger)
        forge.upsert_comment(event.repo, event.number, said.marker, said.text, None, on=event.kind)


def acknowledge(forge: Forge, event: Commented) -> None:
    """Show that a comment is heard; a forge without reactions does not hinder what it asks."""
    try:
        forge.react(event.repo, event.number, event.comment, on=event.kind)
    except ScenaristError as error:
        log.info("a comment could not be acknowledged: %s", error.message)
