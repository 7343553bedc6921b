"""Reads GitLab's webhooks with tolerant models: only the fields we use, unknown ones ignored.

https://docs.gitlab.com/user/project/integrations/webhook_events/
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence
from typing import Any, Literal

from pydantic import ValidationError

from bot.forges.events import (
    Commented,
    CommentEdited,
    ForgeEvent,
    Ignored,
    IssueLabelled,
    PullEnd,
    Reopened,
    ReviewCommented,
    Withdrawn,
)
from bot.forges.forge import BRANCH_PREFIX, Account
from bot.forges.gitlab.webhooks.hook_payloads import (
    Attributes,
    FieldMissing,
    Label,
    LabelChange,
    MergeRequest,
    Payload,
)
from bot.forges.gitlab.webhooks.machine_events import pipeline_ended, pushed
from bot.forges.receiver import Headers, Name, PayloadInvalid, header

_TOLERANCE_S = 300  # the Standard Webhooks specification: https://www.standardwebhooks.com/
_KEY_PREFIX = "whsec_"


class GitLabReceiver:
    """GitLab's webhooks.

    `labels` are the trigger label and the label that asks for an approval. `token` is the hook's secret
    token; `signing_token` (``whsec_…``) the key of signed webhooks. With a signing token only signed
    deliveries are accepted.
    """

    needs = "X-Gitlab-Event and a body"

    def __init__(self, labels: tuple[str, str], token: bytes = b"", signing_token: str = "") -> None:
        self._labels = labels
        self._token = token
        self._key = _key(signing_token)
        self.secured = bool(token or self._key)

    def is_authentic(self, headers: Headers, body: bytes, now: float) -> bool:
        """Return whether the delivery bears the token, or a signature not older than five minutes."""
        if self._key:
            return _signed(self._key, headers, body, now)
        given = headers.get(b"x-gitlab-token", b"")
        return bool(self._token) and hmac.compare_digest(self._token, given)

    def name(self, headers: Headers, body: bytes) -> Name:
        """Return the event, and GitLab's idempotency key; before 17.4 there is none, so the hash of the body.

        `X-Gitlab-Event-UUID` is shared by several hooks and `X-Gitlab-Webhook-UUID` is new for each attempt.
        """
        key = header(headers, b"idempotency-key") or hashlib.sha256(body).hexdigest()
        return Name(event=header(headers, b"x-gitlab-event"), key=key)

    def read(self, event: str, body: bytes) -> ForgeEvent | Ignored:
        """Read one delivery. Raises `PayloadInvalid`."""
        if event == "System Hook":
            return Ignored(reason="a system hook")
        try:
            payload = Payload.model_validate_json(body)
            return self._event(event, payload)
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            if not where:
                raise PayloadInvalid(f"body: {first['msg']}") from None
            # GitLab switches a hook off whose answers are errors, be it for one event of another version.
            return Ignored(reason=f"{where}: {first['msg']}")
        except FieldMissing as error:
            return Ignored(reason=str(error))

    def _event(self, event: str, payload: Payload) -> ForgeEvent | Ignored:
        if event.startswith("Confidential") or payload.event_type.startswith("confidential"):
            return Ignored(reason="a confidential issue or note")
        if payload.object_kind in ("issue", "work_item"):
            return self._issue(payload)
        if payload.object_kind == "note":
            return self._note(payload)
        if payload.object_kind == "merge_request":
            return self._merge_request(payload)
        if payload.object_kind == "push":
            return pushed(payload)
        if payload.object_kind == "pipeline":
            return pipeline_ended(payload)
        return Ignored(reason="event not used")

    def _issue(self, payload: Payload) -> ForgeEvent | Ignored:
        issue = payload.object_attributes
        if issue.iid is None:
            raise FieldMissing("object_attributes.iid is required")
        if issue.confidential:
            return Ignored(reason="a confidential issue or note")
        if issue.action == "close":
            return _withdrawn(payload, "issue", issue.iid, "the issue was closed")
        changed = payload.changes.labels or LabelChange()
        before, now = _titles(changed.previous), _titles(changed.current)
        added = (
            _titles(payload.labels)
            if issue.action == "open"
            else [each for each in now if each not in before]
        )
        wanted = next((each for each in self._labels if each in added), None)
        if wanted is not None:
            return IssueLabelled(
                repo=payload.repo,
                number=issue.iid,
                label=wanted,
                approval=wanted == self._labels[1],
                title=issue.title,
                body=issue.description or "",
                at=_iso(issue.updated_at),
                sender=payload.sender,
            )
        if any(each in before and each not in now for each in self._labels):
            return _withdrawn(payload, "issue", issue.iid, "the label was taken off")
        return Ignored(reason="action not used")

    def _note(self, payload: Payload) -> ForgeEvent | Ignored:
        note = payload.object_attributes
        if note.id is None:
            raise FieldMissing("object_attributes.id is required")
        if note.system:
            return Ignored(reason="a note of GitLab itself")
        if note.internal:
            return Ignored(reason="an internal note")
        edited = note.action == "update"
        if payload.issue is not None and payload.issue.confidential:
            return Ignored(reason="a confidential issue or note")
        former = payload.changes.note.previous if payload.changes.note is not None else None
        own = note.type is None and note.author_id == payload.sender.id
        if edited and former and own and (payload.issue or payload.merge_request):
            return self._commented(payload, note).model_copy(update={"before": former})
        if payload.issue is not None and note.noteable_type in ("Issue", "WorkItem"):
            number = payload.issue.iid
            return _edited(payload, "issue", number, note) if edited else self._commented(payload, note)
        if payload.merge_request is None or note.noteable_type != "MergeRequest":
            return Ignored(reason="action not used")
        if edited:
            return _edited(payload, "pull", payload.merge_request.iid, note)
        if note.type in ("DiffNote", "DiscussionNote"):
            return _review_comment(payload, payload.merge_request, note)
        return self._commented(payload, note)

    def _commented(self, payload: Payload, note: Attributes) -> Commented:
        subject = payload.issue or payload.merge_request
        assert subject is not None  # noqa: S101 - the caller has looked
        return Commented(
            repo=payload.repo,
            kind="issue" if payload.issue is not None else "pull",
            number=subject.iid,
            comment=note.id or 0,
            body=note.note or "",
            at=_iso(note.created_at),
            sender=payload.sender,
            label=self._labels[0],
            title=subject.title,
            text=(payload.issue.description or "") if payload.issue is not None else "",
        )

    def _merge_request(self, payload: Payload) -> ForgeEvent | Ignored:
        request = payload.object_attributes
        if request.iid is None:
            raise FieldMissing("object_attributes.iid is required")
        if request.action not in ("close", "merge", "reopen"):
            return Ignored(reason="action not used")
        if not request.source_branch.startswith(BRANCH_PREFIX):
            return Ignored(reason="not a branch of ours")
        if request.source_project_id != request.target_project_id:
            return Ignored(reason="merge request from a fork")
        if request.action == "reopen":
            return Reopened(repo=payload.repo, pull=request.iid, sender=payload.sender)
        # After a fast-forward merge there is neither: the base then has the newest commit itself.
        head = request.last_commit.id if request.last_commit is not None else ""
        merged = request.action == "merge"
        commit = request.merge_commit_sha or request.squash_commit_sha or head
        end = PullEnd(merged=merged, head=head, commit=commit if merged else "")
        closed = _withdrawn(payload, "pull", request.iid, "the pull request was closed")
        return closed.model_copy(update={"end": end})


def _review_comment(payload: Payload, request: MergeRequest, note: Attributes) -> ForgeEvent | Ignored:
    if not request.source_branch.startswith(BRANCH_PREFIX):
        return Ignored(reason="not a branch of ours")
    if request.source_project_id != request.target_project_id:
        return Ignored(reason="merge request from a fork")
    return ReviewCommented(
        repo=payload.repo,
        pull=request.iid,
        head=request.source_branch,
        title=request.title,
        comment=note.id or 0,
        review=None,
        at=_iso(note.created_at),
        sender=payload.sender,
        body=note.note or "",
    )


def _edited(
    payload: Payload, kind: Literal["issue", "pull"], number: int, note: Attributes
) -> ForgeEvent | Ignored:
    """Only scenarios in somebody else's note are of interest: a maintainer corrects the bot's."""
    sender = payload.sender
    if "```gherkin" not in (note.note or "") or note.author_id in (None, sender.id):
        return Ignored(reason="an edit that changes no scenarios")
    return CommentEdited(
        repo=payload.repo,
        kind=kind,
        number=number,
        comment=note.id or 0,
        author=Account(id=note.author_id or 0, login=""),
        body=note.note or "",
        sender=sender,
    )


def _withdrawn(payload: Payload, kind: Literal["issue", "pull"], number: int, reason: str) -> Withdrawn:
    return Withdrawn(repo=payload.repo, kind=kind, number=number, reason=reason, sender=payload.sender)


def _titles(labels: Sequence[Label]) -> list[str]:
    return [label.title for label in labels]


def _iso(time: str) -> str:
    """Return GitLab's times (``2026-11-27 10:00:00 UTC`` in older hooks) in the API's form, ISO 8601 in
    UTC."""
    if time.endswith(" UTC"):
        return time.removesuffix(" UTC").replace(" ", "T") + "Z"
    return time


def _key(signing_token: str) -> bytes:
    if not signing_token:
        return b""
    try:
        return base64.b64decode(signing_token.removeprefix(_KEY_PREFIX), validate=True)
    except binascii.Error:
        return b""


def _signed(key: bytes, headers: Headers, body: bytes, now: float) -> bool:
    """Return whether one of the signatures is right: HMAC-SHA256 of ``id.timestamp.body``, in base64."""
    sent: dict[str, Any] = {
        name: headers.get(f"webhook-{name}".encode(), b"") for name in ("id", "timestamp")
    }
    try:
        age = abs(now - int(sent["timestamp"]))
    except ValueError:
        return False
    if age > _TOLERANCE_S or not sent["id"]:
        return False
    digest = hmac.new(key, b".".join((sent["id"], sent["timestamp"], body)), hashlib.sha256).digest()
    expected = b"v1," + base64.b64encode(digest)
    given = headers.get(b"webhook-signature", b"").split(b" ")
    return any(hmac.compare_digest(expected, each) for each in given)
