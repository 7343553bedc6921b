"""A bot that is installed on the GitHub stand-in: the ends of its runs, its comments and pull requests."""

from bot.log.state import RunState
from tests.standins.github_server import SLUG, GitHubServer
from tests.support.harness import BotUnderTest
from tests.support.waiting import wait_until

SECRET = "the-hook-secret"
Both = tuple[GitHubServer, BotUnderTest]


def end(bot: BotUnderTest, kind: str, number: int) -> RunState:
    """The end of the newest run on an issue or pull request, its comment being up to date."""
    target = f"github:octo/calc:{kind}:{number}"
    run = wait_until(lambda: bot.store.list_runs(target=target), "a run")[0]
    wait_until(
        lambda: bot.state(run.id).status != "active" and bot.store.reports.is_current(run.id), "its end"
    )
    return bot.state(run.id)


def own_comments(github: GitHubServer, number: int) -> list[str]:
    """What the bot has said on an issue."""
    return [
        each["body"]
        for each in github.comments.values()
        if each["issue"] == number and each["user"]["login"] == f"{SLUG}[bot]"
    ]


def pull_of(github: GitHubServer, number: int) -> int:
    """The one pull request for an issue."""
    found = [n for n, pull in github.pulls.items() if pull["head"].startswith(f"agent/{number}-")]
    assert len(found) == 1
    return found[0]
