"""What machines report on the local forge: the end of a CI job, a push to the target branch."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from bot.forges.forge import Repo
from bot.log.events import Event, Prepared, Published, RunRequested
from bot.storage.tables import deliveries
from runners.contract.events import VerdictReached
from runners.contract.job import CiSettings, RunSettings
from runners.contract.workorder import WorkOrder
from runners.git.command import commit_on, git
from tests.support.inbox import REPO, Inbox
from tests.support.logs import GREEN

HEAD = "agent/1-double"


class OwnPull(Inbox):
    """A pull request of the bot, whose newest commit a run has published."""

    def __init__(self, folder: Path, settings: RunSettings) -> None:
        super().__init__(folder)
        self.settings = settings
        self.bare = self.forge.path(REPO)
        (folder / "tree").mkdir()
        (folder / "tree" / "a.py").write_text("")
        git("add", "--all", git_dir=self.bare, work_tree=folder / "tree")
        git("commit", "--quiet", "--message", "Begin", git_dir=self.bare, work_tree=folder / "tree")
        self.head = self.push("one", "main")
        self.pull = self.forge.ensure_pull(
            Repo(full_name=REPO), head=HEAD, base="main", title="Double", body=""
        ).number
        self.publish("implement", "local:octo/shop:issue:1")

    def push(self, text: str, parent: str = HEAD) -> str:
        parent = git("rev-parse", parent, git_dir=self.bare)
        made = commit_on(self.bare, parent, text)
        git("update-ref", f"refs/heads/{HEAD}", made, git_dir=self.bare)
        return made

    def publish(self, kind: str, target: str) -> None:
        """Let a run end that has published the branch's newest commit."""
        order = WorkOrder.model_validate(
            {
                "kind": kind,
                "number": 1,
                "title": "Double",
                "body": "4 becomes 8.",
                "requested_by": "ada",
                "requested_at": "",
            }
        )
        request = RunRequested(forge="local", repo=REPO, order=order, order_sha256=order.digest)
        run = self.store.request_run(request, target=target, exclusive=False)
        assert run is not None
        self.end(run)

    def end(self, run: str) -> None:
        """Publish the branch's newest commit in the name of a run, and end it."""
        head = git("rev-parse", HEAD, git_dir=self.bare)
        prepared = Prepared(
            base="b" * 40,
            base_branch="main",
            branch=HEAD,
            head=None,
            settings=self.settings,
        )
        claim = self.store.claim(run, ["prepare"], 60)
        assert claim is not None
        published: list[Event] = [
            VerdictReached(verdict=GREEN.model_copy(update={"head_sha": head})),
            Published(commit=head, pull=self.pull, url=""),
        ]
        self.store.finish_phase(claim, [prepared, *published], {}, phase="publish", status="done")

    def job(self, name: str, state: str, log: str = "", commit: str = "") -> str:
        """Let a job end, and handle what the bot hears of it; returns what came of it."""
        return self.heard(lambda: self.forge.end_job(REPO, self.pull, name, state, log, commit=commit))

    def heard(self, act: Callable[[], None]) -> str:
        """Do something that the bot hears of, and let it; returns what came of it."""
        known = len(self.ids)
        act()
        for each in self.ids[known:]:
            self.handler().handle(each)
        with self.store.engine.connect() as db:
            rows = db.execute(sa.select(deliveries.c.outcome).where(deliveries.c.id.in_(self.ids[known:])))
            return rows.scalar() or ""

    def notes(self) -> list[str]:
        found = self.forge.comments(Repo(full_name=REPO), self.pull, on="pull")
        return [each.body for each in found]


@pytest.fixture
def place(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[OwnPull]:
    place = OwnPull(tmp_path, getattr(request, "param", RunSettings()))
    yield place
    place.store.engine.dispose()


def test_a_failed_job_starts_one_repair_with_its_log(place: OwnPull) -> None:
    assert place.job("lint", "running") == ""
    assert "still running" in place.job("test", "failed", "2026-11-28T02:12:05Z AssertionError: 1 != 2")
    place.job("lint", "passed")
    (run,) = place.started
    order = place.store.entries(run)[0].event.order
    assert (order.kind, order.pull, order.body, order.requested_by) == (
        "revise",
        place.pull,
        "4 becomes 8.",
        "ada",
    )
    assert [(each.name, each.log) for each in order.failed_jobs] == [("test", "AssertionError: 1 != 2")]
    assert "at work" in place.job("other", "failed")
    place.end(run)
    assert place.job("other", "failed") == "already requested"
    assert place.started == [run]


def test_green_ci_is_noticed(place: OwnPull) -> None:
    assert place.job("test", "passed") == "the CI passed"


READY = RunSettings(ci=CiSettings(ready=False))


@pytest.mark.parametrize(("place", "ready"), [(RunSettings(), True), (READY, False)], indirect=["place"])
def test_green_ci_makes_the_bots_draft_ready_where_that_is_wanted(place: OwnPull, ready: bool) -> None:
    data = place.forge._get(REPO, "pull", place.pull)
    place.forge._put(REPO, "pull", place.pull, 0, {**data, "draft": True})
    place.job("lint", "running")
    place.job("test", "passed")
    assert place.forge.pull(Repo(full_name=REPO), place.pull).draft, "the CI is still running"
    place.job("lint", "passed")
    assert place.forge.pull(Repo(full_name=REPO), place.pull).draft is not ready


def test_what_fails_on_the_base_too_is_named_once_and_left_alone(place: OwnPull) -> None:
    main = git("rev-parse", "main", git_dir=place.bare)
    place.forge.end_job(REPO, place.pull, "test", "failed", "old", commit=main)
    place.ids.clear()
    for _ in range(2):
        assert place.job("test", "failed", "old") == "left alone: test"
    (note,) = place.notes()
    assert "fails without this change too" in note and place.started == []


def test_two_repairs_in_a_row_are_enough_until_a_person_asks(place: OwnPull) -> None:
    for number in range(2):
        place.job("test", "failed", f"red {number}")
        place.push(f"repair {number}")
        place.end(place.started[-1])
    assert len(place.started) == 2
    assert place.job("test", "failed", "red again") == "left alone: test"
    assert "still red (test) after 2 repairs in a row" in place.notes()[0]
    place.push("as a reviewer asked")
    place.publish("revise", f"local:{REPO}:pull:{place.pull}")
    place.job("test", "failed", "red once more")
    assert len(place.started) == 3


@pytest.mark.parametrize("place", [RunSettings(ci=CiSettings(repairs=0))], indirect=True)
def test_repairs_can_be_switched_off(place: OwnPull) -> None:
    assert place.job("test", "failed") == "repairs are switched off"


@pytest.mark.parametrize("place", [RunSettings(ci=CiSettings(ignore=("cov*",)))], indirect=True)
def test_jobs_can_be_left_out(place: OwnPull) -> None:
    assert place.job("coverage", "failed") == "left alone: coverage"
    assert place.started == []


def test_the_commits_of_others_are_their_own_business(place: OwnPull) -> None:
    place.push("a person's commit")
    assert place.job("test", "failed") == "the commit is somebody else's"
    assert place.job("test", "failed", commit=place.head) == "not the newest commit of the pull request"


def pushed_to_main(place: OwnPull) -> str:
    return place.heard(lambda: place.forge.tell_push(REPO, "main", "ada"))


@pytest.mark.parametrize("place", [RunSettings(auto_rebase=True)], indirect=True)
def test_a_push_to_the_target_starts_a_rebase_where_the_repository_wants_it(place: OwnPull) -> None:
    assert pushed_to_main(place).startswith("runs ")
    order = place.store.requested(place.started[0]).order
    assert (order.rebase, order.pull, order.number, order.body) == (True, place.pull, 1, "4 becomes 8.")
    assert pushed_to_main(place) == "nothing to bring up to date", "a run is at work"
    place.push("repaired")
    place.end(place.started[0])
    assert pushed_to_main(place) == "nothing to bring up to date", "for that commit it was done"
    main = git("rev-parse", "main", git_dir=place.bare)
    git("update-ref", "refs/heads/main", commit_on(place.bare, main, "more"), git_dir=place.bare)
    assert pushed_to_main(place).startswith("runs ")


@pytest.mark.parametrize("place", [RunSettings(auto_rebase=True)], indirect=True)
def test_a_branch_with_somebody_elses_commit_is_left_to_them(place: OwnPull) -> None:
    place.push("by hand")
    assert pushed_to_main(place) == "nothing to bring up to date"


def test_without_the_setting_a_push_starts_nothing(place: OwnPull) -> None:
    assert pushed_to_main(place) == "nothing to bring up to date"
