"""Reads GitHub's webhook payloads with tolerant models: only the fields we use, unknown ones ignored.

githubkit's typed payloads refuse a third of GitHub's recorded ones.
https://docs.github.com/en/webhooks/webhook-events-and-payloads
"""

import hashlib
import hmac
from collections.abc import Callable
from typing import Literal, TypeVar

import pydantic_core
from pydantic import ValidationError

from bot.forges.events import (
    Commented,
    CommentEdited,
    ForgeEvent,
    Ignored,
    IssueLabelled,
    PullEnd,
    Reopened,
    Reverted,
    ReviewCommented,
    ReviewSubmitted,
    Withdrawn,
)
from bot.forges.forge import BRANCH_PREFIX
from bot.forges.github.webhooks.access import ACCESS_EVENTS, access_event
from bot.forges.github.webhooks.hook_payloads import Comment, Issue, Payload, Pull
from bot.forges.github.webhooks.machine_events import CI_EVENTS, ci_event, push_event
from bot.forges.receiver import Headers, Name, PayloadInvalid, header
from bot.forges.reverts import reverts

T = TypeVar("T")


_WANTED = frozenset(
    {"issues", "issue_comment", "pull_request", "pull_request_review", "pull_request_review_comment"}
)
_GONE = {
    "closed": "the issue was closed",
    "deleted": "the issue was deleted",
    "transferred": "the issue was transferred",
}


def signature_valid(secret: bytes, body: bytes, header: bytes | None) -> bool:
    """Return whether `header` (``X-Hub-Signature-256``) is the HMAC of the raw `body`; compared in constant
    time.

    https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries
    """
    if not secret or header is None:
        return False
    expected = b"sha256=" + hmac.new(secret, body, hashlib.sha256).hexdigest().encode()
    return hmac.compare_digest(expected, header)


class GitHubReceiver:
    """GitHub's webhooks. `labels` are the trigger label and the label that asks for an approval."""

    needs = "X-GitHub-Delivery and X-GitHub-Event"

    def __init__(self, labels: tuple[str, str], secret: bytes = b"") -> None:
        self._labels = labels
        self._secret = secret
        self.secured = bool(secret)

    def is_authentic(self, headers: Headers, body: bytes, _now: float) -> bool:
        """Return whether the signature is the HMAC of the body."""
        return signature_valid(self._secret, body, headers.get(b"x-hub-signature-256"))

    def name(self, headers: Headers, _body: bytes) -> Name:
        """Return GitHub's event name and GUID; a redelivery has the GUID of the first one."""
        return Name(event=header(headers, b"x-github-event"), key=header(headers, b"x-github-delivery"))

    def read(self, event: str, body: bytes) -> ForgeEvent | Ignored:
        """Read one delivery. Raises `PayloadInvalid`."""
        return parse(event, body, *self._labels)


def parse(event: str, body: bytes, trigger_label: str, spec_label: str = "") -> ForgeEvent | Ignored:
    """Read one delivery.

    `spec_label` starts a run whose scenarios wait for approval. Raises `PayloadInvalid` when the body does
    not fit `event`.
    """
    if event in ACCESS_EVENTS:
        return _read(lambda: access_event(event, body))
    if event in CI_EVENTS:
        return _read(lambda: ci_event(event, body))
    if event == "push":
        return _read(lambda: push_event(body))
    if event not in _WANTED:
        _require_json(body)
        return Ignored(reason="event not used")
    payload = _read(lambda: Payload.model_validate_json(body))
    if event == "issues":
        return _issue(payload, trigger_label, spec_label)
    if event == "issue_comment":
        return _issue_comment(payload, trigger_label)
    if event == "pull_request":
        return _pull(payload)
    return _review(payload) if event == "pull_request_review" else _comment(payload)


def _read(read: Callable[[], T]) -> T:
    try:
        return read()
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise PayloadInvalid(f"{where or 'body'}: {first['msg']}") from None


def _require_json(body: bytes) -> None:
    try:
        pydantic_core.from_json(body, cache_strings="none")
    except ValueError as error:
        raise PayloadInvalid(f"body: {error}") from None


def _issue(payload: Payload, trigger_label: str, spec_label: str) -> ForgeEvent | Ignored:
    if payload.action not in ("labeled", "unlabeled", *_GONE):
        return Ignored(reason="action not used")
    if payload.issue is None:
        raise PayloadInvalid("issue is required")
    if payload.action in _GONE:
        return _withdrawn(payload, "issue", payload.issue.number, _GONE[payload.action])
    if payload.label is None:
        # The label itself was deleted in the meantime.
        return Ignored(reason="no label")
    if payload.label.name not in (trigger_label, spec_label):
        return Ignored(reason="another label")
    if payload.action == "unlabeled":
        return _withdrawn(payload, "issue", payload.issue.number, "the label was taken off")
    return IssueLabelled(
        repo=payload.repo,
        number=payload.issue.number,
        label=payload.label.name,
        approval=payload.label.name == spec_label,
        title=payload.issue.title,
        body=payload.issue.body or "",
        at=payload.issue.updated_at,
        sender=payload.sender.neutral(),
    )


def _issue_comment(payload: Payload, trigger_label: str) -> ForgeEvent | Ignored:
    if payload.action not in ("created", "edited"):
        return Ignored(reason="action not used")
    if payload.issue is None or payload.comment is None:
        raise PayloadInvalid("issue and comment are required")
    if payload.action == "edited":
        return _edited(payload, payload.issue, payload.comment, trigger_label)
    return _commented(payload, payload.issue, payload.comment, trigger_label)


def _commented(
    payload: Payload, issue: Issue, comment: Comment, trigger_label: str, before: str = ""
) -> Commented:
    return Commented(
        repo=payload.repo,
        kind="pull" if issue.pull_request is not None else "issue",
        number=issue.number,
        comment=comment.id,
        body=comment.body or "",
        at=comment.created_at,
        sender=payload.sender.neutral(),
        label=trigger_label,
        title=issue.title,
        text=issue.body or "",
        before=before,
    )


def _edited(payload: Payload, issue: Issue, comment: Comment, trigger_label: str) -> ForgeEvent | Ignored:
    """Read an edit: a command that its author adds, or scenarios that a maintainer corrects in the bot's
    comment."""
    own = comment.user is None or comment.user.id == payload.sender.id
    if own and payload.changes.body.text:
        return _commented(payload, issue, comment, trigger_label, payload.changes.body.text)
    if own or "```gherkin" not in (comment.body or "") or comment.user is None:
        return Ignored(reason="an edit that changes no scenarios")
    return CommentEdited(
        repo=payload.repo,
        kind="issue" if issue.pull_request is None else "pull",
        number=issue.number,
        comment=comment.id,
        author=comment.user.neutral(),
        body=comment.body or "",
        sender=payload.sender.neutral(),
    )


def _withdrawn(payload: Payload, kind: Literal["issue", "pull"], number: int, reason: str) -> Withdrawn:
    return Withdrawn(
        repo=payload.repo, kind=kind, number=number, reason=reason, sender=payload.sender.neutral()
    )


def _pull(payload: Payload) -> ForgeEvent | Ignored:
    if payload.action not in ("closed", "reopened"):
        return Ignored(reason="action not used")
    pull = _of_bot_branch(payload)
    if isinstance(pull, Ignored):
        return _reverted(payload) or pull
    if payload.action == "reopened":
        return Reopened(repo=payload.repo, pull=pull.number, sender=payload.sender.neutral())
    # Where nothing was merged this is a commit that GitHub made only to try the merge.
    commit = (pull.merge_commit_sha or "") if pull.merged else ""
    end = PullEnd(merged=pull.merged, head=pull.head.sha, commit=commit)
    closed = _withdrawn(payload, "pull", pull.number, "the pull request was closed")
    return closed.model_copy(update={"end": end})


def _reverted(payload: Payload) -> Reverted | None:
    """Read the merge of somebody's pull request that says what it reverts."""
    pull = payload.pull_request
    if pull is None or not pull.merged:
        return None
    found = reverts([f"{pull.title}\n\n{pull.body or ''}"], payload.repo.full_name)
    if not found.commits and not found.pulls:
        return None
    sender = payload.sender.neutral()
    return Reverted(repo=payload.repo, reverts=found, commit=pull.merge_commit_sha or "", sender=sender)


def _of_bot_branch(payload: Payload) -> Pull | Ignored:
    pull = payload.pull_request
    if pull is None:
        raise PayloadInvalid("pull_request is required")
    if not pull.head.ref.startswith(BRANCH_PREFIX):
        return Ignored(reason="not a branch of ours")
    if pull.head.repo is None or pull.head.repo.full_name != payload.repository.full_name:
        return Ignored(reason="pull request from a fork")
    return pull


def _review(payload: Payload) -> ForgeEvent | Ignored:
    if payload.action != "submitted":
        return Ignored(reason="action not used")
    pull = _of_bot_branch(payload)
    if isinstance(pull, Ignored):
        return pull
    if payload.review is None:
        raise PayloadInvalid("review is required")
    if payload.review.state.lower() == "approved" and not payload.review.body:
        return Ignored(reason="approval without a request")
    return ReviewSubmitted(
        repo=payload.repo,
        pull=pull.number,
        head=pull.head.ref,
        title=pull.title,
        review=payload.review.id,
        body=payload.review.body or "",
        at=payload.review.submitted_at or "",
        sender=payload.sender.neutral(),
    )


def _comment(payload: Payload) -> ForgeEvent | Ignored:
    if payload.action != "created":
        return Ignored(reason="action not used")
    pull = _of_bot_branch(payload)
    if isinstance(pull, Ignored):
        return pull
    if payload.comment is None:
        raise PayloadInvalid("comment is required")
    return ReviewCommented(
        repo=payload.repo,
        pull=pull.number,
        head=pull.head.ref,
        title=pull.title,
        comment=payload.comment.id,
        review=payload.comment.pull_request_review_id,
        at=payload.comment.created_at,
        sender=payload.sender.neutral(),
        body=payload.comment.body or "",
    )
