"""What every forge does for a run: the same checks over GitHub's and GitLab's stand-ins and the local forge."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from bot.forges.backlog import Backlog
from bot.forges.forge import Check, ForgeMissing, PullClosed, Repo
from runners.git.command import git
from tests.support.forge_rooms import HEAD, ROOMS, Room


@pytest.fixture(params=list(ROOMS))
def room(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Room]:
    with ExitStack() as stack:
        yield ROOMS[request.param](tmp_path, stack)


def test_a_pull_request_is_opened_once_and_then_brought_up_to_date(room: Room) -> None:
    first = room.pull()
    again = room.forge.ensure_pull(room.repo, head=HEAD, base="main", title="New", body="Also new")
    assert (again.number, again.title, again.body, again.state) == (first, "New", "Also new", "open")
    assert [each.number for each in room.forge.pulls_by_head(room.repo, HEAD)] == [first]
    assert room.forge.is_ours(room.repo, again.author) and again.head == HEAD and again.base == "main"
    assert again.head_sha == git("rev-parse", HEAD, git_dir=room.bare)


def test_a_closed_pull_request_is_never_opened_again(room: Room) -> None:
    pull = room.pull()
    room.close(pull)
    assert room.forge.pull(room.repo, pull).state == "closed"
    with pytest.raises(PullClosed):
        room.forge.ensure_pull(room.repo, head=HEAD, base="main", title="T", body="B")


def test_a_comment_is_found_by_its_marker_and_edited(room: Room) -> None:
    marker = "<!-- scenarist:test:1 -->"
    first = room.forge.upsert_comment(room.repo, room.issue, marker, f"{marker} one", None)
    second = room.forge.upsert_comment(room.repo, room.issue, marker, f"{marker} two", None)
    third = room.forge.upsert_comment(room.repo, room.issue, marker, f"{marker} three", first)
    assert first == second == third
    own = [each.body for each in room.forge.comments(room.repo, room.issue) if marker in each.body]
    assert own == [f"{marker} three"]


def test_somebody_elses_comment_with_the_marker_is_left_alone(room: Room) -> None:
    theirs = room.comment(room.issue)
    made = room.forge.upsert_comment(room.repo, room.issue, "Hello", "Hello from the bot", None)
    assert made != theirs
    assert "Hello" in [each.body for each in room.forge.comments(room.repo, room.issue)]


def test_a_thread_is_answered_once(room: Room) -> None:
    pull = room.pull()
    thread = room.thread(pull)
    marker = "<!-- scenarist:thread:1 -->"
    made = {
        room.forge.reply_in_thread(room.repo, pull, thread, marker, f"{marker} Because.") for _ in range(2)
    }
    assert len(made) == 1
    said = [each for each in room.forge.review_comments(room.repo, pull) if each.thread == thread]
    assert [marker in each.body for each in said] == [False, True]
    with pytest.raises(ForgeMissing):
        room.forge.reply_in_thread(room.repo, pull, 999_999, marker, f"{marker} Nobody asked.")


def test_a_check_goes_through_its_states_as_one(room: Room) -> None:
    room.pull()
    head = git("rev-parse", HEAD, git_dir=room.bare)
    check = Check(name="own", head_sha=head, external_id="1", state="in_progress", title="t", summary="s")
    first = room.forge.upsert_check(room.repo, check)
    for state in ("in_progress", "success", "success", "failure"):
        again = room.forge.upsert_check(room.repo, check.model_copy(update={"state": state}))
        assert again == first


def test_what_is_not_there_is_missing(room: Room) -> None:
    with pytest.raises(ForgeMissing):
        room.forge.issue(room.repo, 999)
    with pytest.raises(ForgeMissing):
        room.forge.pull(room.repo, 999)
    assert room.forge.pulls_by_head(room.repo, "agent/none") == []


def test_issues_are_made_and_found_by_their_mark(room: Room) -> None:
    assert isinstance(room.forge, Backlog)
    made = room.forge.create_issue(room.repo, "Title", "<!-- scenarist:story:a-1 -->\nText", ["story"])
    assert made.title == "Title" and made.labels == ("story",)
    assert room.forge.marked_issues(room.repo, "scenarist:story:") == {"a-1": made.number}


def test_git_reaches_the_repository_with_what_the_forge_gives(room: Room) -> None:
    access = room.forge.git_access(room.repo, write=False)
    assert "oauth2" not in access.url and "x-access-token" not in access.url
    listed = git("ls-remote", access.url, "refs/heads/main", git_dir=room.bare, header=access.header)
    assert git("rev-parse", "main", git_dir=room.bare) in listed
    assert room.forge.default_branch(Repo(**room.repo.model_dump())) == "main"
    assert room.forge.capabilities.max_body >= 65_536
