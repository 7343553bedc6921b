"""GitLab's deliveries: who sent them, what names them, and which event each is."""

import base64
import hashlib
import hmac
import json
from typing import Any

import pytest

from bot.forges.events import (
    BaseMoved,
    CiFinished,
    Commented,
    CommentEdited,
    ForgeEvent,
    Ignored,
    IssueLabelled,
    ReviewCommented,
    Withdrawn,
)
from bot.forges.gitlab.webhooks.receiver import GitLabReceiver
from bot.forges.receiver import PayloadInvalid

LABELS = ("agent:implement", "agent:spec")
KEY = base64.b64encode(b"k" * 32).decode()
PROJECT = {"project": {"path_with_namespace": "group/sub/calc"}, "user": {"id": 5, "username": "ada"}}


def read(
    kind: str, attributes: dict[str, Any], event: str = "Issue Hook", **more: Any
) -> ForgeEvent | Ignored:
    body = {"object_kind": kind, **PROJECT, "object_attributes": attributes, **more}
    return GitLabReceiver(LABELS).read(event, json.dumps(body).encode())


def labels(*names: str) -> list[dict[str, str]]:
    return [{"title": name} for name in names]


def change(before: list[str], after: list[str]) -> dict[str, Any]:
    return {"labels": {"previous": labels(*before), "current": labels(*after)}}


ISSUE = {
    "iid": 3,
    "title": "T",
    "description": "B",
    "action": "update",
    "updated_at": "2026-11-27 10:00:00 UTC",
}


def test_a_label_on_an_open_issue() -> None:
    found = read("issue", ISSUE, changes=change(["x"], ["x", "agent:spec"]))
    assert isinstance(found, IssueLabelled)
    assert (found.number, found.label, found.approval) == (3, "agent:spec", True)
    assert (found.at, found.repo.full_name) == ("2026-11-27T10:00:00Z", "group/sub/calc")


@pytest.mark.parametrize("kind", ["issue", "work_item"])
def test_a_label_that_was_set_at_creation(kind: str) -> None:
    found = read(kind, {**ISSUE, "action": "open"}, labels=labels("agent:implement"))
    assert isinstance(found, IssueLabelled)


@pytest.mark.parametrize(
    ("attributes", "more"),
    [
        ({"action": "close"}, {}),
        ({"action": "update"}, {"changes": change(["agent:implement"], [])}),
    ],
)
def test_what_withdraws(attributes: dict[str, Any], more: dict[str, Any]) -> None:
    assert isinstance(read("issue", {**ISSUE, **attributes}, **more), Withdrawn)


@pytest.mark.parametrize(
    ("kind", "attributes", "event", "more"),
    [
        ("issue", ISSUE, "Issue Hook", {"changes": {}}),
        ("issue", ISSUE, "Issue Hook", {"labels": labels("agent:implement")}),
        (
            "issue",
            {**ISSUE, "confidential": True},
            "Issue Hook",
            {"changes": change([], ["agent:implement"])},
        ),
        ("issue", ISSUE, "Confidential Issue Hook", {"changes": change([], ["agent:implement"])}),
        ("note", {"id": 1, "noteable_type": "Issue", "system": True}, "Note Hook", {"issue": ISSUE}),
        ("note", {"id": 1, "noteable_type": "Issue", "internal": True}, "Note Hook", {"issue": ISSUE}),
        ("note", {"id": 1, "noteable_type": "Commit"}, "Note Hook", {}),
        ("merge_request", {"iid": 1, "action": "update"}, "Merge Request Hook", {}),
        ("merge_request", {"iid": 1, "action": "close", "source_branch": "mine"}, "Merge Request Hook", {}),
        ("pipeline", {"id": 1}, "Pipeline Hook", {}),
        ("push", {}, "Push Hook", {}),
    ],
)
def test_what_is_ignored(kind: str, attributes: dict[str, Any], event: str, more: dict[str, Any]) -> None:
    assert isinstance(read(kind, attributes, event, **more), Ignored)


def test_notes() -> None:
    note = {
        "id": 9,
        "note": "yes",
        "noteable_type": "Issue",
        "action": "create",
        "created_at": "2026-11-27T10:00:00Z",
    }
    found = read("note", note, "Note Hook", issue=ISSUE)
    assert isinstance(found, Commented)
    assert (found.kind, found.number, found.body, found.text) == ("issue", 3, "yes", "B")

    request = {
        "iid": 4,
        "title": "M",
        "source_branch": "agent/3-t",
        "source_project_id": 1,
        "target_project_id": 1,
    }
    line = {**note, "noteable_type": "MergeRequest", "type": "DiffNote"}
    found = read("note", line, "Note Hook", merge_request=request)
    assert isinstance(found, ReviewCommented)
    assert (found.pull, found.comment, found.review) == (4, 9, None)
    assert isinstance(read("note", {**line, "type": None}, "Note Hook", merge_request=request), Commented)
    fork = {**request, "source_project_id": 2}
    assert isinstance(read("note", line, "Note Hook", merge_request=fork), Ignored)


def test_an_edit_of_the_bots_scenarios() -> None:
    note = {"id": 9, "note": "```gherkin\nFeature: x\n```", "noteable_type": "Issue", "action": "update"}
    assert isinstance(read("note", {**note, "author_id": 77}, "Note Hook", issue=ISSUE), CommentEdited)
    assert isinstance(read("note", {**note, "author_id": 5}, "Note Hook", issue=ISSUE), Ignored)
    request = {"iid": 4, "title": "T", "source_branch": "agent/7-t"}
    on_request = {**note, "author_id": 77, "noteable_type": "MergeRequest"}
    found = read("note", on_request, "Note Hook", merge_request=request)
    assert isinstance(found, CommentEdited) and (found.kind, found.number) == ("pull", 4)


def test_an_account_without_an_id_is_known_by_its_name() -> None:
    found = read("issue", ISSUE, changes=change([], ["agent:implement"]), user={"username": "old"})
    assert isinstance(found, IssueLabelled)
    assert (found.sender.id, found.sender.login) == (0, "old")


@pytest.mark.parametrize("body", [b"", b"[]", b"{"])
def test_what_cannot_be_read(body: bytes) -> None:
    with pytest.raises(PayloadInvalid):
        GitLabReceiver(LABELS).read("Issue Hook", body)


def test_the_token() -> None:
    receiver = GitLabReceiver(LABELS, b"secret")
    assert receiver.is_authentic({b"x-gitlab-token": b"secret"}, b"", 0)
    assert not receiver.is_authentic({b"x-gitlab-token": b"other"}, b"", 0)
    assert not receiver.is_authentic({}, b"", 0)
    assert not GitLabReceiver(LABELS).is_authentic({b"x-gitlab-token": b""}, b"", 0)
    assert not GitLabReceiver(LABELS).secured


def signed(body: bytes, at: int) -> dict[bytes, bytes]:
    digest = hmac.new(b"k" * 32, b"id1." + str(at).encode() + b"." + body, hashlib.sha256).digest()
    signature = b"v1,AAAA v1," + base64.b64encode(digest)
    return {b"webhook-id": b"id1", b"webhook-timestamp": str(at).encode(), b"webhook-signature": signature}


def test_the_signature() -> None:
    receiver = GitLabReceiver(LABELS, b"secret", f"whsec_{KEY}")
    headers = signed(b"body", 1000)
    assert receiver.is_authentic(headers, b"body", 1299)
    assert not receiver.is_authentic(headers, b"body", 1301), "five minutes"
    assert not receiver.is_authentic(headers, b"Body", 1000)
    assert not receiver.is_authentic({**headers, b"webhook-id": b"id2"}, b"body", 1000)
    assert not receiver.is_authentic({b"x-gitlab-token": b"secret"}, b"body", 1000), "the token is not enough"


def test_a_delivery_is_known_by_its_idempotency_key_or_else_by_its_body() -> None:
    receiver = GitLabReceiver(LABELS)
    headers = {b"x-gitlab-event": b"Issue Hook", b"idempotency-key": b"k1", b"x-gitlab-webhook-uuid": b"new"}
    assert (receiver.name(headers, b"x").event, receiver.name(headers, b"x").key) == ("Issue Hook", "k1")
    older = {b"x-gitlab-event": b"Issue Hook"}
    assert receiver.name(older, b"x").key == receiver.name(older, b"x").key != receiver.name(older, b"y").key


PIPELINE = {"id": 9, "status": "failed", "source": "push", "sha": "c" * 40, "ref": "agent/3-x"}
REQUEST = {"iid": 8, "source_branch": "agent/3-x", "source_project_id": 7, "target_project_id": 7}


@pytest.mark.parametrize(
    ("changes", "request_", "commit", "passed"),
    [
        ({}, None, "c" * 40, False),
        ({"status": "success"}, None, "c" * 40, True),
        ({"ref": "refs/merge-requests/8/head", "source": "merge_request_event"}, REQUEST, "c" * 40, False),
        ({"ref": "refs/merge-requests/8/merge", "source": "merge_request_event"}, REQUEST, "", False),
    ],
)
def test_the_end_of_a_pipeline(
    changes: dict[str, Any], request_: dict[str, Any] | None, commit: str, passed: bool
) -> None:
    found = read("pipeline", {**PIPELINE, **changes}, "Pipeline Hook", merge_request=request_)
    assert isinstance(found, CiFinished)
    assert (found.branch, found.commit, found.passed) == ("agent/3-x", commit, passed)


@pytest.mark.parametrize(
    ("changes", "request_"),
    [
        ({"source": "external"}, None),
        ({"status": "running"}, None),
        ({"ref": "main"}, None),
        ({}, {**REQUEST, "source_project_id": 99}),
    ],
)
def test_pipelines_that_say_nothing_to_us(changes: dict[str, Any], request_: dict[str, Any] | None) -> None:
    found = read("pipeline", {**PIPELINE, **changes}, "Pipeline Hook", merge_request=request_)
    assert isinstance(found, Ignored)


@pytest.mark.parametrize(
    ("ref", "after", "branch"),
    [
        ("refs/heads/main", "c" * 40, "main"),
        ("refs/heads/release/1", "c" * 40, "release/1"),
        ("refs/heads/agent/1-x", "c" * 40, None),
        ("refs/heads/main", "0" * 40, None),
        ("refs/tags/v1", "c" * 40, None),
    ],
)
def test_a_push_to_a_branch(ref: str, after: str, branch: str | None) -> None:
    body = {"object_kind": "push", "ref": ref, "after": after, **PROJECT}
    found = GitLabReceiver(LABELS).read("Push Hook", json.dumps(body).encode())
    assert (found.branch if isinstance(found, BaseMoved) else None) == branch


def test_a_merge_request_names_its_source_project() -> None:
    attributes = {**REQUEST, "action": "close", "source": {"id": 7, "path_with_namespace": "group/sub/calc"}}
    assert isinstance(read("merge_request", attributes, "Merge Request Hook"), Withdrawn)


@pytest.mark.parametrize(
    ("event", "body"),
    [
        (
            "System Hook",
            {"object_kind": "merge_request", "object_attributes": {**REQUEST, "action": "close"}},
        ),
        ("Issue Hook", {"object_kind": "issue", "object_attributes": {"iid": "three"}, **PROJECT}),
        ("Issue Hook", {"object_kind": "work_item", "object_attributes": {**ISSUE, "action": "close"}}),
        ("Issue Hook", {"object_kind": "issue", "object_attributes": {}, **PROJECT}),
        ("Note Hook", {"object_kind": "note", "object_attributes": {"note": "x"}, **PROJECT}),
    ],
    ids=["system hook", "a field of another type", "an epic has no project", "no iid", "no id"],
)
def test_what_is_not_understood_is_ignored_and_no_error(event: str, body: dict[str, Any]) -> None:
    assert isinstance(GitLabReceiver(LABELS).read(event, json.dumps(body).encode()), Ignored)


def test_a_note_on_a_confidential_issue_is_ignored() -> None:
    note = {"id": 1, "note": "hello", "noteable_type": "Issue", "action": "create", "created_at": ""}
    issue = {"iid": 3, "title": "T", "description": ""}
    assert isinstance(read("note", note, "Note Hook", issue=issue), Commented)
    assert isinstance(
        read("note", {**note, "noteable_type": "WorkItem"}, "Note Hook", issue=issue), Commented
    )
    hidden = read("note", note, "Note Hook", issue={**issue, "confidential": True})
    assert isinstance(hidden, Ignored)
