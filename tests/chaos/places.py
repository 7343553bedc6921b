"""Where the long chaos run happens: on the local forge, on the stand-ins of GitHub and GitLab, and on the
GitHub emulator that others wrote."""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import sqlalchemy as sa

from bot.forges.forge import Repo
from bot.storage.tables import deliveries
from bot.worker.processes import free_port
from tests.chaos.moments import TWO_CANDIDATES, assert_exactly_one
from tests.standins.emulator import OWNER, REPO, Emulator
from tests.standins.github_server import GitHubServer
from tests.standins.github_state import SLUG
from tests.standins.gitlab_server import GitLabServer
from tests.support.harness import CALC, BotUnderTest, doubling, draft
from tests.support.processes import sandboxes
from tests.support.waiting import wait_until

SECRET = "the-hook-secret"
EMULATED = f"{OWNER}/{REPO}"


@dataclass(frozen=True)
class Task:
    """One issue that was labelled: the target of its runs, and what looks at the end that there is one of
    everything."""

    target: str
    exactly_one: Callable[[], None]


class Place(Protocol):
    """Labels issues for a bot."""

    bot: BotUnderTest

    def begin(self) -> Task: ...


class OnLocal:
    """Each issue in a repository of its own, on the local forge; `more` are lines of `.scenarist.yml`."""

    def __init__(self, bot: BotUnderTest, more: str = "") -> None:
        self.bot, self._number = bot, 0
        self._files = {**CALC, ".scenarist.yml": CALC[".scenarist.yml"] + more}

    def begin(self) -> Task:
        self._number += 1
        repo: Repo = self.bot.make_repo(f"octo/r{self._number}", self._files)
        self.bot.script([draft()], doubling())
        number = self.bot.forge.open_issue(
            repo.full_name, "ada", "Double numbers", "4 becomes 8, please."
        ).number
        self.bot.forge.add_label(repo.full_name, number, "agent:implement", "ada")
        return Task(
            f"local:{repo.full_name}:issue:{number}", lambda: assert_exactly_one(self.bot, repo, number)
        )


class OnGitHub:
    """All issues in the one repository of the GitHub stand-in: REST, signed webhooks and git over HTTP."""

    def __init__(self, bot: BotUnderTest, github: GitHubServer) -> None:
        self.bot, self._github = bot, github

    def begin(self) -> Task:
        self.bot.script([draft()], doubling())
        number = self._github.open_issue("ada", "Double numbers", "It should double numbers: 4 becomes 8.")
        self._github.label(number, "agent:implement", "ada")
        return Task(f"github:octo/calc:issue:{number}", lambda: self._exactly_one(number))

    def _exactly_one(self, number: int) -> None:
        github = self._github
        pulls = [each for each in github.pulls.values() if each["head"].startswith(f"agent/{number}-")]
        comments = [
            each
            for each in github.comments.values()
            if each["issue"] == number and each["user"]["login"] == f"{SLUG}[bot]"
        ]
        checks = [each for each in github.checks.values() if pulls and each["head_sha"] == pulls[0]["sha"]]
        assert (len(pulls), len(comments), len(checks)) == (1, 1, 1), (pulls, comments, checks)
        assert github.violations == []
        _nothing_left(self.bot)


class OnGitLab:
    """All issues in the one project of the GitLab stand-in: REST, webhooks with a token and git over HTTP.

    GitLab repeats no delivery, so a task begins when its deliveries are accepted.
    """

    def __init__(self, bot: BotUnderTest, gitlab: GitLabServer) -> None:
        self.bot, self._gitlab = bot, gitlab

    def begin(self) -> Task:
        self.bot.script([draft()], doubling())
        wait_until(self.bot.is_up, "the web app")
        number = self._gitlab.open_issue("ada", "Double numbers", "It should double numbers: 4 becomes 8.")
        self._gitlab.label(number, "agent:implement", "ada")
        assert self._gitlab.deliveries[-1] == 202, self._gitlab.deliveries
        return Task(f"gitlab:octo/calc:issue:{number}", lambda: self._exactly_one(number))

    def _exactly_one(self, number: int) -> None:
        gitlab = self._gitlab
        requests = [
            each
            for each in gitlab.merge_requests.values()
            if each["source_branch"].startswith(f"agent/{number}-")
        ]
        notes = [
            each
            for each in gitlab.notes.get(("issues", number), [])
            if each["author"]["id"] == gitlab.bot["id"]
        ]
        sha = gitlab._sha(requests[0]["source_branch"]) if requests else ""
        statuses = gitlab.statuses.get(sha, [])
        assert (len(requests), len(notes), len(statuses)) == (1, 1, 1), (requests, notes, statuses)
        _nothing_left(self.bot)


class OnEmulator:
    """All issues in the one repository of the emulator, which keeps issues, pull requests, check runs and
    tokens and sends its own webhooks.

    It sends each delivery once and has no list of them, so a task begins when its deliveries are accepted.
    """

    def __init__(self, bot: BotUnderTest, github: Emulator) -> None:
        self.bot, self._github = bot, github

    def begin(self) -> Task:
        self.bot.script([draft()], doubling())
        before = self._accepted()
        text = {"title": "Double numbers", "body": "It should double numbers: 4 becomes 8."}
        number: int = self._github.api("POST", "/issues", text)["number"]
        self._github.api("POST", f"/issues/{number}/labels", {"labels": ["agent:implement"]})
        wait_until(lambda: self._accepted() >= before + 2, "the deliveries")
        return Task(f"github:{EMULATED}:issue:{number}", lambda: self._exactly_one(number))

    def _accepted(self) -> int:
        with self.bot.store.engine.connect() as db:
            return int(db.execute(sa.select(sa.func.count()).select_from(deliveries)).scalar() or 0)

    def _exactly_one(self, number: int) -> None:
        api = self._github.api
        every = api("GET", "/pulls?state=all&per_page=100&direction=desc")
        pulls = [each for each in every if each["head"]["ref"].startswith(f"agent/{number}-")]
        comments = api("GET", f"/issues/{number}/comments")
        sha = pulls[0]["head"]["sha"] if pulls else "main"
        checks = api("GET", f"/commits/{sha}/check-runs")["check_runs"]
        assert (len(pulls), len(comments), len(checks)) == (1, 1, 1), (pulls, comments, checks)
        _nothing_left(self.bot)


def _nothing_left(bot: BotUnderTest) -> None:
    wait_until(lambda: not list((bot.state_dir / "work").glob("*")), "an empty work folder")
    wait_until(lambda: not sandboxes(bot.state_dir), "the end of every sandbox")


@contextlib.contextmanager
def place(
    forge: str, settings: Mapping[str, object], folder: Path, made: Callable[..., BotUnderTest] = BotUnderTest
) -> Iterator[Place]:
    """A bot, `made` with these settings, on ``local``, ``github``, ``gitlab`` or ``emulator``.

    ``candidates`` is the local forge with two candidates in each run.
    """
    with contextlib.ExitStack() as stack:
        if forge in ("local", "candidates"):
            more = TWO_CANDIDATES if forge == "candidates" else ""
            yield OnLocal(stack.enter_context(made(settings)), more)
            return
        port = free_port()
        if forge == "gitlab":
            gitlab_hook = f"http://127.0.0.1:{port}/webhooks/gitlab"
            gitlab = stack.enter_context(GitLabServer(folder, CALC, gitlab_hook, SECRET))
            yield OnGitLab(stack.enter_context(made({**settings, **gitlab.settings()}, port)), gitlab)
            return
        hook = f"http://127.0.0.1:{port}/webhooks/github"
        if forge == "emulator":
            emulator = stack.enter_context(Emulator(folder, CALC, hook, SECRET))
            own = emulator.settings(folder / "app.pem", SECRET)
            yield OnEmulator(stack.enter_context(made({**settings, **own}, port)), emulator)
            return
        github = stack.enter_context(GitHubServer(folder, CALC, hook, SECRET))
        own = {**github.settings(), "redeliver_seconds": 2.0}
        yield OnGitHub(stack.enter_context(made({**settings, **own}, port)), github)
