"""What every forge says of its CI: the same checks over GitHub, GitLab and the local one."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from bot.forges.ci import MAX_LOG_BYTES, Ci, CiJob
from bot.forges.forge import Check
from runners.git.command import git
from tests.standins.github_server import GitHubServer
from tests.support.forge_rooms import FILES, ROOMS, Outcome, Room, github_room


class Place:
    """A forge with one open pull request of the bot."""

    def __init__(self, room: Room) -> None:
        assert isinstance(room.forge, Ci)
        self.room, self.ci, self.pull = room, room.forge, room.pull()
        self.head = room.forge.pull(room.repo, self.pull).head_sha

    def end(self, name: str, outcome: Outcome, log: str) -> None:
        self.room.end_job(self.pull, name, outcome, log)

    def jobs(self, commit: str) -> list[CiJob]:
        return self.ci.ci_jobs(self.room.repo, commit, pull=self.pull)

    def log(self, job: CiJob) -> str:
        return self.ci.ci_log(self.room.repo, job)


@pytest.fixture(params=list(ROOMS))
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    with ExitStack() as stack:
        yield Place(ROOMS[request.param](tmp_path, stack))


def test_every_attempt_of_every_job_is_listed_oldest_first(place: Place) -> None:
    assert place.jobs(place.head) == []
    place.end("test", "failed", "one")
    place.end("lint", "passed", "")
    place.end("test", "passed", "two")
    place.end("deploy", "broken", "")
    place.end("slow", "running", "")
    found = [each for each in place.jobs(place.head) if not each.name.startswith("check suite")]
    assert [(job.name, job.state, job.broken) for job in found] == [
        ("test", "failed", False),
        ("lint", "passed", False),
        ("test", "passed", False),
        ("deploy", "failed", True),
        ("slow", "running", False),
    ]
    assert [place.log(job) for job in found[:3]] == ["one", "", "two"]


def test_the_jobs_of_a_branch_are_those_of_its_newest_commit(place: Place) -> None:
    place.end("test", "failed", "")
    assert place.ci.ci_jobs(place.room.repo, "main") == []
    git("update-ref", "refs/heads/main", place.head, git_dir=place.room.bare)
    assert [job.name for job in place.ci.ci_jobs(place.room.repo, "main")] == ["test"]


def test_the_bots_own_check_is_no_job(place: Place) -> None:
    check = Check(
        name="scenarist", head_sha=place.head, external_id="1", state="failure", title="t", summary="s"
    )
    place.room.forge.upsert_check(place.room.repo, check)
    place.end("test", "failed", "")
    assert [job.name for job in place.jobs(place.head)] == ["test"]


def test_of_a_long_log_the_end_is_read(place: Place) -> None:
    place.end("test", "failed", "x" * MAX_LOG_BYTES + "the end")
    (job,) = place.jobs(place.head)
    log = place.log(job)
    assert log.endswith("the end")
    assert len(log) <= MAX_LOG_BYTES


def test_on_github_a_workflow_whose_next_job_has_not_begun_is_still_running(tmp_path: Path) -> None:
    with ExitStack() as stack:
        server = stack.enter_context(GitHubServer(tmp_path, FILES, "http://127.0.0.1:9/", "s"))
        room = github_room(server, tmp_path)
        place = Place(room)
        place.end("test", "passed", "")
        assert [job.state for job in place.jobs(place.head)] == ["passed"]
        server.waiting_jobs = True
        assert [job.state for job in place.jobs(place.head)] == ["passed", "running"]
        assert server.violations == []
