"""Carries out the commands of a comment, and answers them in one reply."""

import logging
from collections.abc import Callable, Sequence

from bot.behaviours import explain, replies
from bot.behaviours.replies import CommandReply
from bot.forges.events import Commented, IssueLabelled
from bot.forges.forge import Forge, Repo
from bot.intake.decisions.by_comment import AdjustRun, Commanded, CommandRefused, Tell
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
    """The result of a comment's commands: a note for its delivery, and the run that one of them started.

    `closed` says that the delivery was closed together with the start of the run.
    """

    outcome: str = ""
    run_id: str | None = None
    closed: bool = False


class _CommandEffect(Frozen):
    """The result of one command; `text` is the answer, empty if its effect is a comment itself."""

    outcome: str = ""
    text: str = ""
    run_id: str | None = None
    begins: bool = False
    stranger: int = 0


class CommandHandler:
    """`start(decision, delivery_id)` begins a run and returns its id, if any.

    It closes the delivery, if it is given one.
    """

    def __init__(
        self, store: Store, steering: Steering, start: Callable[[StartRun, str | None], str | None]
    ) -> None:
        self._store = store
        self._steering = steering
        self._start = start

    def handle(
        self, commands: Sequence[Commanded], forge: Forge, delivery_id: str, *, closes: bool = True
    ) -> Done:
        """Do what the commands say, in their order. Raises the forge's errors.

        What begins a run is answered by the run's own comment, all else by one reply. This may be called
        again after a worker was killed: each command is carried out once, and answered in the same words.
        With `closes` false the delivery asks for more, and stays open.
        """
        alone = len(commands) == 1 and closes
        begun = self._begun(commands)
        effects = [
            self._do(each, forge, delivery_id if alone else None, f"{delivery_id}#{place}", begun)
            for place, each in enumerate(commands)
        ]
        answers = [
            (commanded.command, effect.text or replies.BEGUN)
            for commanded, effect in zip(commands, effects, strict=True)
            if effect.text or (effect.begins and not alone)
        ]
        if answers:
            event = commands[0].event
            refused = all(effect.stranger for effect in effects)
            stranger = effects[0].stranger if refused else 0
            name = f"{'review-' if event.place == 'review' else ''}{event.comment}"
            _answer(event, replies.reply(name, answers, stranger=stranger), forge, apart=bool(stranger))
        return Done(
            outcome="; ".join(effect.outcome for effect in effects if effect.outcome),
            run_id=next((effect.run_id for effect in effects if effect.run_id), None),
            closed=alone and effects[0].begins,
        )

    def _begun(self, commands: Sequence[Commanded]) -> dict[str, str]:
        """Return the runs that these commands began before their worker was killed, by the requests' keys."""
        starts = [
            then.otherwise if isinstance(then, AnswerScenarios | InstructRun) else then
            for then in (each.then for each in commands)
        ]
        keys = [then.request.key for then in starts if isinstance(then, StartRun)]
        return {key: run_id for key in keys if key and (run_id := self._store.run_of(key))}

    def _do(
        self,
        commanded: Commanded,
        forge: Forge,
        delivery_id: str | None,
        cause: str,
        begun: dict[str, str],
    ) -> _CommandEffect:
        then = commanded.then
        if isinstance(then, StartRun):
            return self._begin(then, delivery_id, begun)
        if isinstance(then, AnswerScenarios):
            return self._scenarios(then, delivery_id, cause, begun)
        if isinstance(then, InstructRun):
            return self._kind(then, delivery_id, cause, begun)
        if isinstance(then, CommandRefused):
            return _CommandEffect(outcome=then.reason, text=then.text, stranger=then.stranger)
        if isinstance(then, Tell):
            return _CommandEffect(outcome=then.what, text=self._told(commanded, then, forge))
        if isinstance(then, AcceptSplit):
            stories = self._steering.proposed(then)
            if not stories:
                return _CommandEffect(outcome="no split was proposed", text=replies.NO_SPLIT)
            return _CommandEffect(outcome=make_issues(then, stories, forge))
        if isinstance(then, SteerRuns):
            effect = self._steering.steer(then, cause)
            text = replies.steered(then.control, done=effect.done)
            if then.control == "resume" and not effect.done and self._steering.waiting(then.target):
                text = replies.WAITS
            return _CommandEffect(outcome=effect.outcome, text=text)
        if isinstance(then, AdjustRun):
            effect = self._steering.adjust(then, cause)
            text = replies.adjusted(then.turns, then.model) if effect.done else replies.NO_RUN
            return _CommandEffect(outcome=effect.outcome, text=text)
        forge.set_ready(then.repo, then.number)
        return _CommandEffect(outcome="ready for review", text=replies.READY)

    def _begin(self, then: StartRun, delivery_id: str | None, begun: dict[str, str]) -> _CommandEffect:
        run_id = begun.pop(then.request.key, None) or self._start(then, delivery_id)
        at_work = run_id is None and not self._steering.is_approved_now(then.target)
        return _CommandEffect(
            outcome=f"run {run_id}" if run_id else "no run begun",
            text=replies.AT_WORK if at_work else "",
            run_id=run_id,
            begins=True,
        )

    def _scenarios(
        self, then: AnswerScenarios, delivery_id: str | None, cause: str, begun: dict[str, str]
    ) -> _CommandEffect:
        effect = self._steering.answer(then, cause)
        if not effect.done and then.otherwise is not None:
            return self._begin(then.otherwise, delivery_id, begun)
        control: Control = "respecify" if then.instructed is not None else "resume"
        if effect.done:
            text = replies.steered(control, done=True) if then.instructed is not None else replies.APPROVED
        else:
            text = replies.steered("respecify", done=False)
        return _CommandEffect(outcome=effect.outcome, text=text)

    def _kind(
        self, then: InstructRun, delivery_id: str | None, cause: str, begun: dict[str, str]
    ) -> _CommandEffect:
        if self._steering.waiting(then.target) or self._store.caused(then.target, cause):
            answer = AnswerScenarios(target=then.target, by=then.instructed.by, instructed=then.instructed)
            effect = self._steering.answer(answer, cause)
            return _CommandEffect(outcome=effect.outcome, text=replies.steered("respecify", done=True))
        newest = self._steering.newest(then.target)
        if newest is not None and newest.status == "needs_info" and then.otherwise is not None:
            return self._begin(then.otherwise, delivery_id, begun)
        is_open = newest is not None and newest.status in ("active", "paused")
        if newest is not None and is_open and fold(self._store.entries(newest.id)).spec is not None:
            return _CommandEffect(outcome="the scenarios are written", text=replies.KIND_LATE)
        effect = self._steering.tell(then)
        return _CommandEffect(outcome=effect.outcome, text=replies.KIND if effect.done else replies.NO_RUN)

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
        sign = forge.capabilities.pull_sign
        if then.what == "status":
            return explain.status(run_id, state, sign)
        return explain.explanation(run_id, entries, sign)


def _answer(event: Commented, said: CommandReply, forge: Forge, *, apart: bool) -> None:
    """Post a reply in the thread of the comment that it answers; with `apart`, or elsewhere, as a comment."""
    if event.place == "thread" and not apart:
        found = forge.review_comments(event.repo, event.number)
        thread = next((each.thread for each in found if each.id == event.comment), None)
        if thread is not None:
            forge.reply_in_thread(event.repo, event.number, thread, said.marker, said.text)
            return
    forge.upsert_comment(event.repo, event.number, said.marker, said.text, None, on=event.kind)


def acknowledge(forge: Forge, event: Commented) -> None:
    """Show that a comment is heard; a forge without reactions does not hinder what it asks.

    Forges have no reaction to the text of a review, so the pull request gets it.
    """
    comment = None if event.place == "review" else event.comment
    try:
        forge.react(event.repo, event.number, comment, on=event.kind, in_thread=event.place == "thread")
    except ScenaristError as error:
        log.info("a comment could not be acknowledged: %s", error.message)


def acknowledge_label(forge: Forge, event: IssueLabelled) -> None:
    """Show on the issue that its label is seen, before the run has a comment."""
    try:
        forge.react(event.repo, event.number, None, on="issue")
    except ScenaristError as error:
        log.info("a label could not be acknowledged: %s", error.message)


def acknowledge_remarks(forge: Forge, repo: Repo, pull: int, remarks: Sequence[int]) -> None:
    """Show that remarks in review threads of a pull request are heard."""
    try:
        for remark in remarks:
            forge.react(repo, pull, remark, on="pull", in_thread=True)
    except ScenaristError as error:
        log.info("a review could not be acknowledged: %s", error.message)
