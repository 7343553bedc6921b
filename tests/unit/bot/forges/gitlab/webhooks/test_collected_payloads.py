"""Payloads of GitLab's webhooks that other projects collected: each is the right event, or none."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from bot.forges.events import BaseMoved, CiFinished, Commented, ForgeEvent, Ignored, IssueLabelled, Withdrawn
from bot.forges.gitlab.webhooks.receiver import GitLabReceiver

FOLDER = Path(__file__).parents[5] / "corpus" / "gitlab_payloads"
FILES = sorted(FOLDER.glob("*/*.json"))
USED = {
    "go-playground/comment-issue-event": Commented,
    "go-playground/comment-merge-request-event": Commented,
    "go-playground/push-event": BaseMoved,
    "gitlab4j/issue-event": Withdrawn,
    "gitlab4j/note-issue-event": Commented,
    "gitlab4j/push-event": BaseMoved,
}


def read(payload: Mapping[str, Any], event: str = "", label: str = "API") -> ForgeEvent | Ignored:
    return GitLabReceiver((label, "agent:spec")).read(event, json.dumps(payload).encode())


def load(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return found


def name_of(path: Path) -> str:
    return f"{path.parent.name}/{path.stem}"


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_each_is_the_right_event_or_none(path: Path) -> None:
    found = read(load(name_of(path)))
    assert type(found) is USED.get(name_of(path), Ignored), found


def test_what_we_use_of_them_is_read() -> None:
    comment = read(load("go-playground/comment-issue-event"))
    assert isinstance(comment, Commented)
    assert (comment.kind, comment.number, comment.comment) == ("issue", 17, 1241)
    assert (comment.body, comment.at, comment.sender.id) == ("Hello world", "2015-05-17T17:06:40Z", 1)
    older = read(load("gitlab4j/note-issue-event"))
    assert isinstance(older, Commented) and (older.sender.login, older.sender.id) == ("root", 0)
    withdrawn = read(load("gitlab4j/issue-event"))
    assert isinstance(withdrawn, Withdrawn) and withdrawn.number == 23
    assert isinstance(read(load("gitlab4j/issue-event"), label="Platform"), Ignored), "another label"
    moved = read(load("gitlab4j/push-event"))
    assert isinstance(moved, BaseMoved) and (moved.branch, moved.repo.full_name) == (
        "master",
        "mike/diaspora",
    )


@pytest.mark.parametrize("name", ["go-playground/issue-event", "gitlab4j/issue-event"])
def test_with_our_label_an_issue_is_one_to_implement(name: str) -> None:
    label = {"id": 9, "title": "agent:implement"}
    for how in ({"labels": [label]}, {"changes": {"labels": {"previous": [], "current": [label]}}}):
        payload = load(name) | how
        payload["object_attributes"]["action"] = "open" if "labels" in how else "update"
        found = read(payload, label="agent:implement")
        assert isinstance(found, IssueLabelled) and found.number == 23, how
        assert found.title == "New API: create/update/delete file"


def test_what_is_confidential_is_never_used() -> None:
    label = {"id": 9, "title": "agent:implement"}
    issue = load("go-playground/confidential-issue-event") | {"labels": [label]}
    assert isinstance(read(issue, "Confidential Issue Hook", "agent:implement"), Ignored)
    assert isinstance(read(issue, "Issue Hook", "agent:implement"), IssueLabelled), "but for that"
    issue["object_attributes"]["confidential"] = True
    assert isinstance(read(issue, "Issue Hook", "agent:implement"), Ignored)
    note = load("go-playground/confidential-comment-event")
    assert isinstance(read(note), Ignored)


@pytest.mark.parametrize("name", ["go-playground/pipeline-event", "gitlab4j/pipeline-event"])
def test_the_pipeline_of_our_branch_is_heard(name: str) -> None:
    payload = load(name)
    assert isinstance(read(payload), Ignored)
    payload["object_attributes"]["ref"] = "agent/12-double"
    request = payload.get("merge_request")
    if request:
        request["source_branch"] = "agent/12-double"
    assert isinstance(read(payload), CiFinished)
