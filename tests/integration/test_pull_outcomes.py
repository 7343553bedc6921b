"""What became of the bot's pull requests, from the forges' events: the same over all forges."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from bot.forges.events import BaseMoved, Reopened, Reverted, Withdrawn
from bot.intake.outcomes import Outcomes
from bot.log.events import Published, PullEnded, WorkLeft
from bot.log.state import fold
from bot.storage.database import connect, migrate
from bot.storage.outcomes import repositories
from bot.storage.store import Store
from runners.git.command import git
from tests.support import logs
from tests.support.forge_rooms import HEAD, ROOMS, Room
from tests.support.run_logs import append, stored_run


class Followed:
    """A pull request of the bot, the run that opened it, and what reads the forge's deliveries about it."""

    def __init__(self, room: Room, store: Store) -> None:
        self.room, self.store = room, store
        self.pull = room.pull()
        self.noted: list[str] = []
        self._outcomes = Outcomes(store, self.noted.append)
        commit = git("rev-parse", HEAD, git_dir=room.bare)
        requested = logs.REQUESTED.model_copy(update={"forge": room.forge.kind})
        log = [requested, *logs.PREPARING[1:], logs.PREPARED]
        self.run_id = stored_run(store, log, key="one", repo=room.repo.full_name)
        append(store, self.run_id, Published(commit=commit, pull=self.pull, url="https://forge.example/1"))

    def hear(self) -> None:
        """Note what the newest delivery says."""
        event, kind = self.room.told(), self.room.forge.kind
        if isinstance(event, Withdrawn):
            assert event.end is not None and event.number == self.pull
            self._outcomes.ended(event, event.end, self.room.forge)
        elif isinstance(event, Reopened):
            self._outcomes.reopened(event, kind)
        else:
            assert isinstance(event, BaseMoved | Reverted)
            self._outcomes.reverted(event, kind)

    @property
    def ended(self) -> PullEnded | None:
        return fold(self.store.entries(self.run_id)).ended_pull


@pytest.fixture(params=list(ROOMS))
def followed(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Followed]:
    engine = connect(f"sqlite:///{tmp_path / 'runs.db'}")
    migrate(engine)
    with ExitStack() as stack:
        stack.callback(engine.dispose)
        yield Followed(ROOMS[request.param](tmp_path, stack), Store(engine))


def test_merged_as_it_was_and_then_reverted(followed: Followed) -> None:
    room = followed.room
    room.end_pull(followed.pull, True)
    followed.hear()
    followed.hear()
    merged = followed.ended
    assert merged is not None and (merged.became, merged.by, merged.edits) == ("merged", "ada", 0)
    assert followed.noted == [followed.run_id], "a delivery that comes twice is noted once"
    assert merged.commit == git("rev-parse", "main", git_dir=room.bare)
    room.commit("main", "Something else\n\nThis reverts nothing.")
    room.push("main")
    followed.hear()
    assert followed.ended == merged
    text = f'Revert "T"\n\nThis reverts commit {merged.commit}.'
    git("branch", "elsewhere", "main", git_dir=room.bare)
    room.commit("elsewhere", text)
    room.push("elsewhere")
    followed.hear()
    assert followed.ended == merged, "not yet: the branch is another one"
    made = room.commit("main", text)
    room.push("main")
    followed.hear()
    reverted = followed.ended
    assert reverted is not None and (reverted.became, reverted.by, reverted.commit) == (
        "reverted",
        "ada",
        made,
    )
    assert repositories(followed.store.engine, None)[0].reverted == 1


def test_merged_after_somebody_elses_commits(followed: Followed) -> None:
    followed.room.commit(HEAD, "Suggestion")
    followed.room.commit(HEAD, "Another one")
    followed.room.end_pull(followed.pull, True)
    followed.hear()
    ended = followed.ended
    assert ended is not None and (ended.became, ended.edits) == ("edited", 2)
    assert repositories(followed.store.engine, None)[0].edited == 1


def test_merges_of_the_base_and_commits_below_the_bots_newest_are_no_edits(followed: Followed) -> None:
    room = followed.room
    room.commit(HEAD, "Suggestion")
    ours = room.commit(HEAD, "Revise", email="scenarist@users.noreply.scenarist.dev")
    append(
        followed.store, followed.run_id, Published(commit=ours, pull=followed.pull, url="https://x.example")
    )
    room.commit("main", "Meanwhile")
    tree = git("rev-parse", f"{HEAD}^{{tree}}", git_dir=room.bare)
    text = f"Merge branch 'main' into {HEAD}"
    update = git("commit-tree", tree, "-p", HEAD, "-p", "main", "-m", text, git_dir=room.bare)
    git("update-ref", f"refs/heads/{HEAD}", update, git_dir=room.bare)
    room.end_pull(followed.pull, True)
    followed.hear()
    assert followed.ended is not None and followed.ended.became == "merged"


def test_closed(followed: Followed) -> None:
    followed.room.end_pull(followed.pull, False)
    followed.hear()
    ended = followed.ended
    assert ended is not None and (ended.became, ended.commit) == ("closed", "")
    line = repositories(followed.store.engine, None)[0]
    assert (line.closed, line.merged, line.waiting) == (1, 0, 0)


def test_a_draft_of_unproven_work_counts_too(followed: Followed) -> None:
    room, store = followed.room, followed.store
    requested = logs.REQUESTED.model_copy(update={"forge": room.forge.kind})
    other = stored_run(store, [requested, logs.PREPARED], key="two", repo=room.repo.full_name)
    commit = git("rev-parse", HEAD, git_dir=room.bare)
    append(store, other, WorkLeft(commit=commit, pull=followed.pull))
    room.end_pull(followed.pull, True)
    followed.hear()
    ended = fold(store.entries(other)).ended_pull
    assert ended is not None and ended.became == "merged", "the newest run of the pull request says it"
