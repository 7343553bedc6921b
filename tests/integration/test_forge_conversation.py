"""What every forge lets the bot do in a conversation: the same checks over GitHub, GitLab and the local one."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from bot.config.settings import Settings
from bot.forges.forge import Account, Forge, Label, Repo
from bot.forges.github.adapter import github_forge
from bot.forges.gitlab.adapter import gitlab_forge
from bot.forges.local.adapter import LocalForge
from bot.storage.database import connect, migrate
from runners.git.command import git
from tests.standins.github_server import INSTALLATION, GitHubServer
from tests.standins.gitlab_server import GitLabServer

FILES = {"calc.py": "a = 1\nb = 2\nc = 3\n"}
HEAD = "agent/1-double"
LABEL = Label(name="agent:working", color="0e8a16", description="Scenarist is at work.")


@dataclass
class Room:
    """One forge with an issue, and what tests look at behind the bot's back."""

    forge: Forge
    repo: Repo
    issue: int
    bare: Path
    comment: Callable[[int], int]
    thread: Callable[[int], int]
    reactions: Callable[[], int]
    resolved: Callable[[int, int], bool]

    def pull(self, *, draft: bool = False) -> int:
        """A pull request of the bot, whose branch has one more commit than main."""
        tree = git("rev-parse", "main^{tree}", git_dir=self.bare)
        made = git("commit-tree", tree, "-p", "main", "-m", "x", git_dir=self.bare)
        git("update-ref", f"refs/heads/{HEAD}", made, git_dir=self.bare)
        opened = self.forge.ensure_pull(self.repo, head=HEAD, base="main", title="T", body="B", draft=draft)
        return opened.number


def on_github(folder: Path, stack: ExitStack) -> Room:
    server = stack.enter_context(GitHubServer(folder, FILES, "http://127.0.0.1:9/", "s"))
    # GitHub answers as GitHub describes it, whatever a test asks.
    stack.callback(lambda: _none(server.violations))

    def thread(pull: int) -> int:
        server.review(pull, "wim", "", [("calc.py", 1, "Why?"), ("calc.py", 2, "And why that?")])
        return max(server.review_comments)

    return Room(
        github_forge(Settings.model_validate({"state_dir": folder, **server.settings()})),
        Repo(full_name=server.repo, installation=INSTALLATION),
        server.open_issue("ada", "T", "B"),
        server.bare,
        lambda number: server.comment(number, "wim", "Hello"),
        thread,
        lambda: len(server.reactions),
        lambda _pull, first: first in server.resolved,
    )


def on_gitlab(folder: Path, stack: ExitStack) -> Room:
    server = stack.enter_context(GitLabServer(folder, FILES, "http://127.0.0.1:9/", "s"))

    def resolved(pull: int, first: int) -> bool:
        return any(
            each.get("resolved", False)
            for each in server.discussions[pull]
            if each["notes"][0]["id"] == first
        )

    return Room(
        gitlab_forge(Settings.model_validate({"state_dir": folder, **server.settings()})),
        Repo(full_name=server.repo),
        server.open_issue("ada", "T", "B"),
        server.bare,
        lambda number: server.say("issues", number, "wim", "Hello"),
        lambda pull: server.comment_on_line(pull, "wim", "calc.py", 2, "Why?"),
        lambda: len(server.awards),
        resolved,
    )


def on_local(folder: Path, stack: ExitStack) -> Room:
    engine = connect(f"sqlite:///{folder / 'bot.db'}")
    stack.callback(engine.dispose)
    migrate(engine)
    forge = LocalForge(engine, folder / "forge")
    name = "octo/calc"
    forge.create_repo(name, {"ada": "admin", "wim": "write", "tri": "read"})
    (folder / "tree").mkdir()
    (folder / "tree" / "calc.py").write_text(FILES["calc.py"])
    git("add", "--all", git_dir=forge.path(name), work_tree=folder / "tree")
    git("commit", "--quiet", "-m", "Begin", git_dir=forge.path(name), work_tree=folder / "tree")

    def thread(pull: int) -> int:
        forge.submit_review(name, pull, "wim", "", [("calc.py", 2, "Why?")])
        return forge.review_comments(Repo(full_name=name), pull)[-1].id

    def reactions() -> int:
        kinds = ("issue", "pull", "comment", "review_comment")
        return sum("reactions" in data for kind in kinds for _, _, data in forge._all(name, kind))

    return Room(
        forge,
        Repo(full_name=name),
        forge.open_issue(name, "ada", "T", "B").number,
        forge.path(name),
        lambda number: forge.add_comment(name, number, "wim", "Hello"),
        thread,
        reactions,
        lambda _pull, first: bool(forge._get(name, "review_comment", first).get("resolved")),
    )


def _none(violations: list[str]) -> None:
    assert violations == []


@pytest.fixture(params=[on_github, on_gitlab, on_local], ids=["github", "gitlab", "local"])
def room(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Room]:
    with ExitStack() as stack:
        yield request.param(tmp_path, stack)


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
