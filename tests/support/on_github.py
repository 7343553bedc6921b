"""A bot that is installed on the GitHub stand-in: the ends of its runs, its comments and pull requests."""

from bot.log.state import RunState
from tests.standins.github_server import GitHubServer
from tests.standins.github_state import SLUG
from tests.support.harness import BotUnderTest
from tests.support.waiting import wait_until

SECRET = "the-hook-secret"
Both = tuple[GitHubServer, BotUnderTest]


def end(bot: BotUnderTest, kind: str, number: int) -> RunState:
    """Wait for the end of the newest run on an issue or pull request, and of its comment; returns its state."""
    target = f"github:octo/calc:{kind}:{number}"
    run = wait_until(lambda: bot.store.list_runs(target=target), "a run")[0]
    wait_until(
        lambda: bot.state(run.id).status != "active" and bot.store.reports.is_current(run.id), "its end"
    )
    return bot.state(run.id)


def own_comments(github: GitHubServer, number: int) -> list[str]:
    """Return the bot's comments on an issue."""
    return [
        each["body"]
        for each in github.comments.values()
        if each["issue"] == number and each["user"]["login"] == f"{SLUG}[bot]"
    ]


def pull_of(github: GitHubServer, number: int) -> int:
    """Return the number of the only pull request for an issue."""
    found = [n for n, pull in github.pulls.items() if pull["head"].startswith(f"agent/{number}-")]
    assert len(found) == 1
    return found[0]
