"""Decide what an event starts: who may ask for it, and which text is frozen in the work order. Rights are
asked of the forge at this moment; nothing is written."""

import hashlib
import re
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from bot.behaviours import replies
from bot.behaviours.target import target_of
from bot.comment_commands.parser import apart
from bot.forges.events import (
    AccessLost,
    Act,
    Commented,
    CommentEdited,
    Ignored,
    IssueLabelled,
    ReviewCommented,
    ReviewSubmitted,
    Withdrawn,
)
from bot.forges.forge import Account, Comment, Forge, Permission, Repo, ReviewComment
from bot.log.events import Control, Phase, RunRequested
from gherkin.issue.markdown import split
from gherkin.values import Frozen
from runners.contract.events import Instructed
from runners.contract.workorder import OrderComment, OrderThread, WorkOrder

MAY_TRIGGER: frozenset[Permission] = frozenset({"write", "maintain", "admin"})

# A forge stamps a review and its comments one after the other.
_SAME_MOMENT = timedelta(seconds=5)


class StartRun(Frozen):
    """Begin a run. Its request's key is granted once; runs with one `target` never overlap.

    `approves` says whether who asks for it may also approve scenarios that wait on `target`.
    """

    request: RunRequested
    target: str
    exclusive: bool
    approves: bool = True


class CancelRuns(Frozen):
    """End the runs on `target`, which nobody wants any more."""

    target: str
    by: str
    reason: str


class CancelAll(Frozen):
    """End all runs on `repos`, or those of an installation."""

    repos: tuple[str, ...]
    installation: int
    by: str
    reason: str


class SteerRuns(Frozen):
    """Pause, resume, cancel or retry what is on `target`, as its maintainer said in a comment."""

    target: str
    control: Control
    phase: Phase | None
    by: str


class AnswerScenarios(Frozen):
    """Approve the scenarios that wait on `target`, or with `instructed` have them written again. If none
    wait, begin `otherwise`.
    """

    target: str
    by: str
    instructed: Instructed | None
    otherwise: "StartRun | None" = None


class InstructRun(Frozen):
    """Tell the active run on `target`; if the last one waits for an answer, begin `otherwise`. With
    `respecify`, scenarios that wait for an approval are written again.
    """

    target: str
    instructed: Instructed
    otherwise: StartRun | None
    respecify: bool = False


class AcceptSplit(Frozen):
    """Make issues of the stories that were proposed for the one on `target`."""

    repo: Repo
    number: int
    target: str
    by: str


class LabelRefused(Ignored):
    """A label of somebody who may not start runs; `marker` and `text` are the comment that says so, once."""

    marker: str
    text: str


Decision = AnswerScenarios | StartRun | CancelRuns | CancelAll | Ignored


def is_a_bots(text: str) -> bool:
    """Return whether a text was written by a Scenarist, this or another one, so that two of them do not
    answer each other."""
    return "<!-- scenarist:" in text


def decide(event: Act, forge: Forge, delivery_id: str) -> Decision:
    """Decide what an event other than a comment leads to; see `bot.intake.decisions.by_comment` for
    comments.

    Raises the forge's errors.
    """
    if isinstance(event, Commented):
        return Ignored(reason="only runs of a server receive comments")
    if isinstance(event, AccessLost):
        return CancelAll(repos=event.repos, installation=event.installation, by=event.by, reason=event.reason)
    if isinstance(event, Withdrawn):
        if forge.is_ours(event.repo, event.sender):
            return Ignored(reason="our own doing")
        # Whoever could do this had the right to: the forge has checked it.
        target = target_of(forge.kind, event.repo.full_name, event.kind, event.number)
        return CancelRuns(target=target, by=event.sender.login, reason=event.reason)
    if forge.is_ours(event.repo, event.sender):
        return Ignored(reason="our own doing")
    # A person who corrects scenarios edits the bot's own comment.
    written = "" if isinstance(event, CommentEdited) else getattr(event, "body", "")
    if event.sender.bot or is_a_bots(written):
        return Ignored(reason="another bot")
    if forge.permission(event.repo, event.sender) not in MAY_TRIGGER:
        reason = "the sender has no write access"
        if not isinstance(event, IssueLabelled):
            return Ignored(reason=reason)
        said = replies.label_refused(event.sender.id, event.sender.login)
        return LabelRefused(reason=reason, marker=said.marker, text=said.text)
    if isinstance(event, IssueLabelled):
        return implement(event, forge, delivery_id)
    if isinstance(event, CommentEdited):
        return _corrected(event, forge)
    pull = forge.pull(event.repo, event.pull)
    if not forge.is_ours(event.repo, pull.author):
        return Ignored(reason="not a pull request of ours")
    if pull.state != "open":
        return Ignored(reason="the pull request is closed")
    return _revise(event, forge)


def implement(
    event: IssueLabelled, forge: Forge, delivery_id: str, *, answers: bool = False, by_label: bool = True
) -> StartRun | Ignored:
    """Return the run that a label, a command or an answer starts on an issue.

    With `by_label` the label must still be on it.
    """
    # Deliveries come late and out of order: the label may have been taken off since.
    present = forge.issue(event.repo, event.number)
    if by_label and event.label not in present.labels:
        return Ignored(reason="the label is gone")
    if not present.open:
        return Ignored(reason="the issue is closed")
    trusted = _trusted(forge, event.repo)
    order = WorkOrder(
        kind="implement",
        number=event.number,
        title=event.title,
        body=event.body,
        comments=tuple(
            _frozen(comment)
            for comment in forge.comments(event.repo, event.number)
            if (not event.at or max(comment.created_at, comment.updated_at) <= event.at)
            and not forge.is_ours(event.repo, comment.author)
            and trusted(comment.author)
        ),
        requested_by=event.sender.login,
        requested_at=event.at,
        labels=present.labels,
        answers=answers,
        known_as=present.known_as,
    )
    target = target_of(forge.kind, event.repo.full_name, "issue", event.number)
    return StartRun(
        request=request_of(forge, event.repo, order, f"{target}:{delivery_id}", approval=event.approval),
        target=target,
        exclusive=True,
    )


def _corrected(event: CommentEdited, forge: Forge) -> AnswerScenarios | Ignored:
    """Replace the scenarios that wait for approval by those that somebody with rights edited in the bot's
    comment."""
    blocks = [block.text for block in split(event.body)[1] if block.kind == "gherkin"]
    if not forge.is_ours(event.repo, event.author) or not blocks:
        return Ignored(reason="an edit of somebody's own")
    text = blocks[-1].rstrip("\n")
    # The comment stays the same one, so what is known of it is its text.
    known_as = -int(hashlib.sha256(text.encode()).hexdigest()[:12], 16)
    told = Instructed(
        comment=known_as, by=event.sender.login, text=f"````gherkin\n{text}\n````", corrects=True
    )
    target = target_of(forge.kind, event.repo.full_name, event.kind, event.number)
    return AnswerScenarios(target=target, by=event.sender.login, instructed=told)


def as_labelled(event: Commented, *, approval: bool = False) -> IssueLabelled:
    """Return a comment on an issue as if its author had set the label."""
    return IssueLabelled(
        repo=event.repo,
        number=event.number,
        label=event.label,
        title=event.title,
        body=event.text,
        at=event.at,
        sender=event.sender,
        approval=approval,
    )


def revise_as_told(event: Commented, text: str, forge: Forge, *, rebase: bool = False) -> StartRun | Ignored:
    """Return the run that a command on a pull request starts: a revision, or `rebase` and nothing else."""
    if event.kind != "pull":
        return Ignored(reason="only pull requests are revised")
    pull = forge.pull(event.repo, event.number)
    if not forge.is_ours(event.repo, pull.author):
        return Ignored(reason="not a pull request of ours")
    if pull.state != "open":
        return Ignored(reason="the pull request is closed")
    if not text and not rebase:
        return Ignored(reason="the review asks for nothing")
    order = _revision(
        pull.head, pull.title, event.number, event.sender.login, event.at, text=text, rebase=rebase
    )
    target = target_of(forge.kind, event.repo.full_name, "pull", event.number)
    # A comment may hold several commands, and get more when it is edited.
    which = hashlib.sha256(f"{rebase} {text}".encode()).hexdigest()[:12]
    request = request_of(forge, event.repo, order, f"{target}:told:{event.comment}:{which}")
    return StartRun(request=request, target=target, exclusive=False)


def _revise(event: ReviewSubmitted | ReviewCommented, forge: Forge) -> StartRun | Ignored:
    review, at, body = event.review, event.at, ""
    if isinstance(event, ReviewSubmitted):
        body = event.body
    elif review is not None:
        # Whichever of a review's events comes first stands for all of it.
        found = forge.review(event.repo, event.pull, review)
        at, body = found.submitted_at or at, found.body
    comments = [
        comment for comment in forge.review_comments(event.repo, event.pull) if _stood_at(comment, at)
    ]
    # What a review says as a command is no remark; commands are carried out for themselves.
    body = remark(body, event.repo, forge)
    if isinstance(event, ReviewCommented) and review is None:
        those = [comment for comment in comments if comment.id == event.comment]
    else:
        those = [comment for comment in comments if comment.review == review]
    asked = {comment.thread for comment in those if remark(comment.body, event.repo, forge)}
    threads = _threads(comments, asked, _trusted(forge, event.repo), event.repo, forge)
    if not threads and not body.strip():
        return Ignored(reason="the review asks for nothing")
    order = _revision(event.head, event.title, event.pull, event.sender.login, at, text=body, threads=threads)
    asked_by = f"review:{review}" if review is not None else f"comment:{getattr(event, 'comment', 0)}"
    target = target_of(forge.kind, event.repo.full_name, "pull", event.pull)
    return StartRun(
        request=request_of(forge, event.repo, order, f"{target}:{asked_by}"),
        target=target,
        exclusive=False,
    )


def remark(text: str, repo: Repo, forge: Forge) -> str:
    """Return what somebody wrote in a review without its commands."""
    # The bot's own name is asked of the forge only where somebody is mentioned.
    return apart(text, forge.login(repo) if "@" in text else "")[0]


def _revision(
    head: str,
    title: str,
    pull: int,
    by: str,
    at: str,
    *,
    text: str,
    threads: Sequence[OrderThread] = (),
    rebase: bool = False,
) -> WorkOrder:
    """Return the order of a revision of our pull request `pull`; the branch `head` names its issue."""
    issue = re.match(r"agent/(\d+)-", head)
    return WorkOrder(
        kind="revise",
        number=int(issue.group(1)) if issue else 0,
        title=title,
        body="",
        requested_by=by,
        requested_at=at,
        pull=pull,
        review_body=text,
        threads=tuple(threads),
        rebase=rebase,
    )


def request_of(
    forge: Forge, repo: Repo, order: WorkOrder, key: str, *, approval: bool = False
) -> RunRequested:
    return RunRequested(
        forge=forge.kind,
        repo=repo.full_name,
        installation=repo.installation,
        order=order,
        order_sha256=order.digest,
        key=key,
        approval=approval,
    )


def _threads(
    comments: Sequence[ReviewComment],
    asked: set[int],
    trusted: Callable[[Account], bool],
    repo: Repo,
    forge: Forge,
) -> tuple[OrderThread, ...]:
    """Return the asked threads, each with what we and people with rights had said in it by then."""
    threads = []
    for root in sorted(asked):
        said = [
            comment
            for comment in comments
            if comment.thread == root and (forge.is_ours(repo, comment.author) or trusted(comment.author))
        ]
        if said:
            threads.append(
                OrderThread(
                    id=root,
                    path=said[0].path,
                    line=said[0].line,
                    start=said[0].start,
                    commit=said[0].commit,
                    comments=tuple(
                        OrderComment(
                            author=comment.author.login, body=comment.body, created_at=comment.created_at
                        )
                        for comment in said
                    ),
                )
            )
    return tuple(threads)


def _trusted(forge: Forge, repo: Repo) -> Callable[[Account], bool]:
    """Return whether an account may put text into a work order; each account is asked for once."""
    known: dict[int, bool] = {}

    def trusted(account: Account) -> bool:
        if account.id not in known:
            known[account.id] = forge.permission(repo, account) in MAY_TRIGGER
        return known[account.id]

    return trusted


def _stood_at(comment: ReviewComment, at: str) -> bool:
    """Return whether the comment's present text is the text that it had at `at` (ISO 8601; empty: now)."""
    changed = comment.updated_at or comment.created_at
    if not at or not changed:
        return True
    return datetime.fromisoformat(changed) <= datetime.fromisoformat(at) + _SAME_MOMENT


def _frozen(comment: Comment) -> OrderComment:
    return OrderComment(author=comment.author.login, body=comment.body, created_at=comment.created_at)
