"""Where the long chaos run happens: on the local forge, and on the GitHub stand-in."""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from bot.embedded import free_port
from bot.forges.forge import Repo
from tests.chaos.test_kill import assert_exactly_one, sandboxes
from tests.harness import CALC, BotUnderTest, doubling, draft, wait_until
from tests.standins.github_server import SLUG, GitHubServer

SECRET = "the-hook-secret"


@dataclass(frozen=True)
class Task:
    """One issue that was labelled: the target of its runs, and what looks at the end that there is one of everything."""

    target: str
    exactly_one: Callable[[], None]


class Place(Protocol):
    """Labels issues for a bot."""

    bot: BotUnderTest

    def begin(self) -> Task: ...


class OnLocal:
    """Each issue in a repository of its own, on the local forge."""

    def __init__(self, bot: BotUnderTest) -> None:
        self.bot, self._number = bot, 0

    def begin(self) -> Task:
        self._number += 1
        repo: Repo = self.bot.make_repo(f"octo/r{self._number}")
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
        work = self.bot.state_dir / "work"
        wait_until(lambda: not list(work.glob("*")), "an empty work folder", 30)
        wait_until(lambda: not sandboxes(self.bot.state_dir), "the end of every sandbox", 10)


@contextlib.contextmanager
def place(forge: str, settings: Mapping[str, object], folder: Path) -> Iterator[Place]:
    """A bot with these settings on ``local`` or ``github``."""
    with contextlib.ExitStack() as stack:
        if forge == "local":
            yield OnLocal(stack.enter_context(BotUnderTest(settings)))
            return
        port = free_port()
        hook = f"http://127.0.0.1:{port}/webhooks/github"
        github = stack.enter_context(GitHubServer(folder, CALC, hook, SECRET))
        own = {**github.settings(), "redeliver_seconds": 2.0}
        yield OnGitHub(stack.enter_context(BotUnderTest({**settings, **own}, port)), github)
