"""Which commits and pull requests a text says that it reverts."""

import json

import pytest

from bot.forges.events import Ignored, PullEnd, Reopened, Reverted, Reverts, Withdrawn
from bot.forges.github.webhooks.receiver import GitHubReceiver
from bot.forges.gitlab.webhooks.receiver import GitLabReceiver
from bot.forges.reverts import reverts

LABELS = ("agent:implement", "agent:spec")
SHA = "a1b2c3d4" * 5


@pytest.mark.parametrize(
    ("text", "commits", "pulls"),
    [
        (f'Revert "Round up"\n\nThis reverts commit {SHA}.', (SHA,), ()),
        (f"Revert it\n\nThis reverts commit {SHA}, reversing\nchanges made to {'e' * 40}.", (SHA,), ()),
        ('Revert "Round up" (#14)\n\nReverts octo/shop#12', (), (12,)),
        ("Reverts #12", (), (12,)),
        ("Revert it\n\nThis reverts merge request !12", (), (12,)),
        ("Revert it\n\nThis reverts merge request octo/shop!12", (), (12,)),
        ("Reverts other/shop#12", (), ()),
        ("This reverts merge request other/shop!12", (), ()),
        ("It says: Reverts octo/shop#12", (), ()),
        ("This reverts commit abc.", (), ()),
        ("Fixes #12", (), ()),
    ],
)
def test_what_git_and_the_forges_write(text: str, commits: tuple[str, ...], pulls: tuple[int, ...]) -> None:
    assert reverts([text], "octo/shop") == Reverts(commits=commits, pulls=pulls)


def pull(action: str, branch: str = "agent/1-x", **more: object) -> bytes:
    """A delivery of GitHub about a pull request."""
    head = {"ref": branch, "sha": "b" * 40, "repo": {"full_name": "octo/shop"}}
    return json.dumps(
        {
            "action": action,
            "sender": {"id": 1, "login": "ada"},
            "repository": {"full_name": "octo/shop"},
            "pull_request": {"number": 14, "title": "T", "head": head, **more},
        }
    ).encode()


def test_how_a_pull_request_on_github_ended() -> None:
    read = GitHubReceiver(LABELS).read
    merged = read("pull_request", pull("closed", merged=True, merge_commit_sha=SHA))
    assert isinstance(merged, Withdrawn) and merged.end == PullEnd(merged=True, head="b" * 40, commit=SHA)
    closed = read("pull_request", pull("closed", merged=False, merge_commit_sha=SHA))
    assert isinstance(closed, Withdrawn) and closed.end == PullEnd(merged=False, head="b" * 40)
    assert isinstance(read("pull_request", pull("reopened")), Reopened)


def test_a_merged_pull_request_that_reverts_another_one() -> None:
    read = GitHubReceiver(LABELS).read
    said = {"merged": True, "merge_commit_sha": SHA, "body": "Reverts octo/shop#12"}
    found = read("pull_request", pull("closed", "revert-12-x", **said))
    assert isinstance(found, Reverted) and (found.reverts.pulls, found.commit) == ((12,), SHA)
    for other in ({"merged": False}, {"body": "Reverts other/shop#12"}):
        assert isinstance(read("pull_request", pull("closed", "revert-12-x", **{**said, **other})), Ignored)


@pytest.mark.parametrize(
    ("fields", "commit"),
    [
        ({"merge_commit_sha": SHA, "squash_commit_sha": "c" * 40}, SHA),
        ({"merge_commit_sha": None, "squash_commit_sha": "c" * 40}, "c" * 40),
        ({}, "b" * 40),  # a fast-forward merge
    ],
)
def test_how_a_merge_request_on_gitlab_ended(fields: dict[str, object], commit: str) -> None:
    def read(action: str) -> object:
        attributes = {"iid": 2, "source_branch": "agent/1-x", "source_project_id": 7, "target_project_id": 7}
        body = {
            "object_kind": "merge_request",
            "user": {"id": 1, "username": "ada"},
            "project": {"path_with_namespace": "octo/shop"},
            "object_attributes": {**attributes, "action": action, "last_commit": {"id": "b" * 40}, **fields},
        }
        return GitLabReceiver(LABELS).read("Merge Request Hook", json.dumps(body).encode())

    merged, closed = read("merge"), read("close")
    assert isinstance(merged, Withdrawn) and merged.end == PullEnd(merged=True, head="b" * 40, commit=commit)
    assert isinstance(closed, Withdrawn) and closed.end == PullEnd(merged=False, head="b" * 40)
    assert isinstance(read("reopen"), Reopened)
