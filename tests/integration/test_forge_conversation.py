"""What every forge lets the bot do in a conversation: the same checks over GitHub, GitLab and the local one."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from bot.forges.forge import Account, Label
from tests.support.forge_rooms import ROOMS, Room

LABEL = Label(name="agent:working", color="0e8a16", description="Scenarist is at work.")


@pytest.fixture(params=list(ROOMS))
def room(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Room]:
    with ExitStack() as stack:
        yield ROOMS[request.param](tmp_path, stack)


def test_a_label_is_made_on_first_use_and_taken_off_once(room: Room) -> None:
    for _ in range(2):
        room.forge.put_label(room.repo, room.issue, LABEL, on="issue")
    assert room.forge.issue(room.repo, room.issue).labels == ("agent:working",)
    for _ in range(2):
        room.forge.drop_label(room.repo, room.issue, LABEL.name, on="issue")
    assert room.forge.issue(room.repo, room.issue).labels == ()
    pull = room.pull()
    room.forge.put_label(room.repo, pull, LABEL, on="pull")
    room.forge.drop_label(room.repo, pull, LABEL.name, on="pull")
    assert room.forge.pull(room.repo, pull).number == pull


def test_comments_threads_and_issues_are_acknowledged_once(room: Room) -> None:
    comment = room.comment(room.issue)
    pull = room.pull()
    thread = room.thread(pull)
    for _ in range(2):
        room.forge.react(room.repo, room.issue, None, on="issue")
        room.forge.react(room.repo, room.issue, comment, on="issue")
        room.forge.react(room.repo, pull, thread, on="pull", in_thread=True)
    assert room.reactions() == 3


def test_a_thread_is_resolved(room: Room) -> None:
    pull = room.pull()
    thread = room.thread(pull)
    assert not room.resolved(pull, thread)
    for _ in range(2):
        assert room.forge.resolve_thread(room.repo, pull, thread)
    assert room.resolved(pull, thread)
    assert room.forge.review_comments(room.repo, pull), "they are read as before"


def test_a_remark_names_the_commit_it_is_made_on(room: Room) -> None:
    pull = room.pull()
    thread = room.thread(pull)
    remark = next(each for each in room.forge.review_comments(room.repo, pull) if each.id == thread)
    assert (remark.line, remark.start) == (2, None)
    assert remark.commit == room.forge.pull(room.repo, pull).head_sha


def test_a_draft_becomes_ready_once(room: Room) -> None:
    pull = room.pull(draft=True)
    assert room.forge.pull(room.repo, pull).draft
    for _ in range(2):
        room.forge.set_ready(room.repo, pull)
        assert not room.forge.pull(room.repo, pull).draft
    assert room.forge.pull(room.repo, pull).title == "T"


def test_the_bot_knows_its_own_name(room: Room) -> None:
    made = room.forge.upsert_comment(room.repo, room.issue, "<!-- m -->", "<!-- m --> hi", None)
    own = next(each for each in room.forge.comments(room.repo, room.issue) if each.id == made)
    assert room.forge.is_ours(room.repo, own.author)
    assert room.forge.login(room.repo) == own.author.login
    assert not room.forge.is_ours(room.repo, Account(id=102, login=own.author.login))


def test_a_file_of_the_default_branch_is_read(room: Room) -> None:
    assert room.forge.read_file(room.repo, "calc.py") == "a = 1\nb = 2\nc = 3\n"
    assert room.forge.read_file(room.repo, ".scenarist.yml") is None


def test_rights_are_told_apart(room: Room) -> None:
    people = {name: number for number, name in enumerate(("ada", "wim", "tri"), 101)}
    if room.forge.kind == "local":
        people = {name: number + 900 for name, number in people.items()}
    found = {
        name: room.forge.permission(room.repo, Account(id=number, login=name))
        for name, number in people.items()
    }
    assert (found["wim"], found["tri"]) == ("write", "read")
    assert found["ada"] in ("maintain", "admin")
