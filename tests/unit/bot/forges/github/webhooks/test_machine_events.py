"""GitHub's events about CI: which say that something of ours has ended."""

import json
from typing import Any

import pytest

from bot.forges.events import BaseMoved, CiFinished, Ignored
from bot.forges.github.webhooks.receiver import parse
from bot.forges.receiver import PayloadInvalid

SUITE = {"head_branch": "agent/3-x"}
RUN = {"name": "test", "head_sha": "c" * 40, "conclusion": "failure", "check_suite": SUITE}
WHOLE = {"head_branch": "agent/3-x", "head_sha": "c" * 40, "conclusion": "failure"}


def read(event: str, action: str, **parts: Any) -> CiFinished | Ignored:
    body = {"action": action, "repository": {"full_name": "octo/calc"}, "installation": {"id": 9}, **parts}
    found = parse(event, json.dumps(body).encode(), "agent:implement")
    assert isinstance(found, CiFinished | Ignored)
    return found


@pytest.mark.parametrize(("conclusion", "passed"), [("failure", False), ("success", True), ("skipped", True)])
@pytest.mark.parametrize(
    ("event", "part"), [("check_run", RUN), ("check_suite", WHOLE), ("workflow_run", WHOLE)]
)
def test_what_has_ended_on_a_branch_of_ours(
    event: str, part: dict[str, Any], conclusion: str, passed: bool
) -> None:
    found = read(event, "completed", **{event: {**part, "conclusion": conclusion}})
    assert isinstance(found, CiFinished)
    assert (found.branch, found.commit, found.passed) == ("agent/3-x", "c" * 40, passed)
    assert (found.repo.full_name, found.repo.installation) == ("octo/calc", 9)


@pytest.mark.parametrize(
    ("action", "event", "part"),
    [
        ("created", "check_run", RUN),
        ("completed", "check_run", {**RUN, "name": "scenarist"}),
        ("completed", "check_run", {**RUN, "check_suite": {"head_branch": "main"}}),
        ("completed", "check_run", {**RUN, "check_suite": {"head_branch": None}}),
        ("completed", "workflow_run", {**WHOLE, "head_repository": {"full_name": "eve/calc"}}),
    ],
)
def test_what_says_nothing_to_us(action: str, event: str, part: dict[str, Any]) -> None:
    assert isinstance(read(event, action, **{event: part}), Ignored)


def test_a_body_without_its_part_is_refused() -> None:
    with pytest.raises(PayloadInvalid):
        read("check_run", "completed")


@pytest.mark.parametrize(
    ("ref", "more", "branch"),
    [
        ("refs/heads/main", {}, "main"),
        ("refs/heads/main", {"deleted": True}, None),
        ("refs/heads/agent/1-x", {}, None),
        ("refs/tags/v1", {}, None),
    ],
)
def test_a_push_to_a_branch(ref: str, more: dict[str, Any], branch: str | None) -> None:
    body = {"ref": ref, "after": "c" * 40, "repository": {"full_name": "octo/calc"}, **more}
    found = parse("push", json.dumps(body).encode(), "agent:implement")
    assert (found.branch if isinstance(found, BaseMoved) else None) == branch
