"""Decide what a comment leads to: a command, an answer, or a message to the active run. Rights are asked of
the forge at this moment; nothing is written.
"""

import re
from collections.abc import Sequence
from typing import Literal

from bot.behaviours import replies
from bot.behaviours.target import target_of
from bot.comment_commands.parser import CommandName, CommentCommand
from bot.comment_commands.rights import Rules, is_allowed
from bot.config.repository import FILE, ConfigInvalid, parse_config
from bot.forges.events import Commented, Ignored, IssueLabelled, ReviewCommented, ReviewSubmitted
from bot.forges.forge import Forge, ForgeDenied, ForgeMissing, Repo, TargetKind
from bot.intake.decisions.work_orders import (
    MAY_TRIGGER,
    AcceptSplit,
    AnswerScenarios,
    InstructRun,
    StartRun,
    SteerRuns,
    as_labelled,
    implement,
    is_a_bots,
    revise_as_told,
)
from bot.log.events import PHASES_TO_RETRY
from gherkin.issue.kinds import told_kind
from gherkin.values import Frozen
from runners.contract.budget import MAX_TURNS
from runners.contract.events import Instructed

_MODEL = re.compile(r"[\w./:@-]{1,100}")
_TURNS = re.compile(r"(\d{1,4})(?:\s+turns?)?")


class CommandRefused(Frozen):
    """A command that is not carried out: `reason` for the log, `text` for people.

    `stranger` is the account that may give no commands here: all its refusals are one comment. 0: none.
    """

    reason: str
    text: str
    stranger: int = 0


class Tell(Frozen):
    """Say something about the run on `target`, or about the commands."""

    what: Literal["help", "status", "explain"]
    target: str


class AdjustRun(Frozen):
    """Change how many turns the newest run on `target` may take, or which model writes its code."""

    target: str
    by: str
    turns: int | None = None
    model: str = ""


class MakeReady(Frozen):
    """Mark the draft pull request `number` as ready for review."""

    repo: Repo
    number: int


Then = (
    AcceptSplit
    | AdjustRun
    | AnswerScenarios
    | InstructRun
    | MakeReady
    | CommandRefused
    | StartRun
    | SteerRuns
    | Tell
)


class Commanded(Frozen):
    """A command of a comment and what follows from it."""

    command: CommentCommand
    event: Commented
    then: Then


def as_comment(event: ReviewSubmitted | ReviewCommented) -> Commented:
    """Return the text of a review, or a comment in one of its threads, as a comment on the pull request."""
    return Commented(
        repo=event.repo,
        kind="pull",
        number=event.pull,
        comment=event.comment if isinstance(event, ReviewCommented) else event.review,
        body=event.body,
        at=event.at,
        sender=event.sender,
        label="",
        title=event.title,
        text="",
        place="thread" if isinstance(event, ReviewCommented) else "review",
    )


def decide_comment(
    event: Commented, forge: Forge, delivery_id: str, commands: Sequence[CommentCommand]
) -> tuple[Commanded, ...] | InstructRun | Ignored:
    """Return what follows from a comment whose commands are `commands`, in their order.

    Raises the forge's errors.
    """
    if forge.is_ours(event.repo, event.sender):
        return Ignored(reason="our own doing")
    if event.sender.bot or is_a_bots(event.body):
        return Ignored(reason="another bot")
    permission = forge.permission(event.repo, event.sender)
    if not commands:
        if permission not in MAY_TRIGGER:
            return Ignored(reason="the sender has no write access")
        return _said(event, forge, delivery_id)
    found = [
        Commanded(command=command, event=event, then=then)
        for command in commands
        if (then := _then(command, event, forge, delivery_id, permission)) is not None
    ]
    return tuple(found) or Ignored(reason="the sender has no write access")


def _then(
    command: CommentCommand, event: Commented, forge: Forge, delivery_id: str, permission: str
) -> Then | None:
    """Return what follows from one command; None if a stranger gives one that does not exist."""
    if command.known is not None:
        forbidden = _forbidden(command.known, event, forge, permission)
        then = forbidden or _commanded(command, command.known, event, forge, delivery_id)
        if isinstance(then, StartRun) and command.known == "implement":
            return then.model_copy(update={"approves": may_approve(event, forge, permission)})
        return then
    if permission not in MAY_TRIGGER:
        return None
    return CommandRefused(reason="a command that is not known", text=replies.unknown(command))


def may_approve(event: IssueLabelled | Commented, forge: Forge, permission: str) -> bool:
    """Return whether the sender of an event may approve scenarios. Raises the forge's errors."""
    kind = "issue" if isinstance(event, IssueLabelled) else event.kind
    return _may("approve", event, kind, forge, permission, _rules(event.repo, forge))


def _may(
    name: CommandName,
    event: IssueLabelled | Commented,
    kind: TargetKind,
    forge: Forge,
    permission: str,
    rules: Rules,
) -> bool:
    def in_team(team: str) -> bool:
        try:
            return forge.in_team(event.repo, event.sender, team)
        except (ForgeDenied, ForgeMissing):
            return False  # who cannot be looked up has no right

    def is_author() -> bool:
        return kind == "issue" and forge.issue(event.repo, event.number).author.id == event.sender.id

    return is_allowed(name, rules, permission=permission, is_author=is_author, in_team=in_team)


def _forbidden(name: CommandName, event: Commented, forge: Forge, permission: str) -> CommandRefused | None:
    rules = _rules(event.repo, forge)
    if _may(name, event, event.kind, forge, permission, rules):
        return None
    return CommandRefused(
        reason="the sender has no write access"
        if permission not in MAY_TRIGGER
        else "the sender may not give this command",
        text=replies.forbidden(name, event.sender.login, rules),
        stranger=event.sender.id,
    )


def _rules(repo: Repo, forge: Forge) -> Rules:
    """Return who may give which command, from the default branch; an unreadable file leaves the defaults."""
    try:
        return parse_config(forge.read_file(repo, FILE) or "").may
    except ConfigInvalid:
        return {}


def _said(event: Commented, forge: Forge, delivery_id: str) -> InstructRun:
    """Return what follows from a comment without a command: a message to the run, or the answer to its
    question.
    """
    told = Instructed(comment=event.comment, by=event.sender.login, text=event.body)
    otherwise = (
        implement(as_labelled(event), forge, delivery_id, answers=True, by_label=False)
        if event.kind == "issue"
        else revise_as_told(event, event.body.strip(), forge)
    )
    target = target_of(forge.kind, event.repo.full_name, event.kind, event.number)
    return InstructRun(
        target=target,
        instructed=told,
        otherwise=otherwise if isinstance(otherwise, StartRun) else None,
    )


def _commanded(
    command: CommentCommand, name: CommandName, event: Commented, forge: Forge, delivery_id: str
) -> Then:
    target = target_of(forge.kind, event.repo.full_name, event.kind, event.number)
    by, argument = event.sender.login, command.argument
    told = Instructed(comment=event.comment, by=by, text=argument)
    elsewhere = replies.elsewhere(name, event.kind)
    if elsewhere:
        return CommandRefused(reason="a command that is not known here", text=elsewhere)
    match name:
        case "help" | "status" | "explain":
            return Tell(what=name, target=target)
        case "implement" | "spec":
            asked = as_labelled(event, approval=name == "spec")
            return _started(implement(asked, forge, delivery_id, by_label=False))
        case "approve":
            # Scenarios that stand in the comment itself take the place of those that wait.
            return AnswerScenarios(target=target, by=by, instructed=told if "```" in argument else None)
        case "revise":
            begun = revise_as_told(event, argument, forge) if event.kind == "pull" else None
            if isinstance(begun, Ignored):
                return _started(begun)
            return AnswerScenarios(target=target, by=by, instructed=told, otherwise=begun)
        case "pause" | "resume" | "cancel":
            return SteerRuns(target=target, control=name, phase=None, by=by)
        case "retry":
            phase = next((each for each in PHASES_TO_RETRY if each == (argument or "implement")), None)
            if phase is None:
                return CommandRefused(
                    reason="a phase that is not known", text=replies.unknown_phase(argument)
                )
            return SteerRuns(target=target, control="retry", phase=phase, by=by)
        case "budget":
            turns = _TURNS.fullmatch(argument)
            if turns is None or not 1 <= int(turns[1]) <= MAX_TURNS:
                return CommandRefused(
                    reason="a budget that is no number of turns", text=replies.wrong_budget()
                )
            return AdjustRun(target=target, by=by, turns=int(turns[1]))
        case "model":
            if not _MODEL.fullmatch(argument):
                return CommandRefused(reason="no name of a model", text=replies.wrong_model())
            return AdjustRun(target=target, by=by, model=argument)
        case "kind":
            said = f"/agent kind {argument.lower()}"
            if told_kind([said]) is None:
                return CommandRefused(reason="a kind that is not known", text=replies.wrong_kind())
            begun = implement(as_labelled(event), forge, delivery_id, answers=True, by_label=False)
            return InstructRun(
                target=target,
                instructed=told.model_copy(update={"text": said}),
                otherwise=begun if isinstance(begun, StartRun) else None,
                respecify=True,
            )
        case "split":
            return AcceptSplit(repo=event.repo, number=event.number, target=target, by=by)
        case "ready":
            return _ready(event, forge)
        case "rebase":
            return _started(revise_as_told(event, "", forge, rebase=True))


def _started(begun: StartRun | Ignored) -> StartRun | CommandRefused:
    if isinstance(begun, StartRun):
        return begun
    return CommandRefused(reason=begun.reason, text=replies.nothing_begun(begun.reason))


def _ready(event: Commented, forge: Forge) -> MakeReady | CommandRefused:
    pull = forge.pull(event.repo, event.number)
    if not forge.is_ours(event.repo, pull.author) or pull.state != "open":
        reason = "not an open pull request of ours"
        return CommandRefused(reason=reason, text=replies.nothing_begun(reason))
    if not pull.draft:
        return CommandRefused(reason="no draft", text="This pull request is ready for review already.")
    return MakeReady(repo=event.repo, number=event.number)
