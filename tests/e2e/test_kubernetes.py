"""From a label to a pull request with the phases in Kubernetes Jobs, over the stand-in's real sockets."""

from collections.abc import Iterator

import pytest

from bot.log.events import PhaseStarted
from tests.chaos.moments import assert_exactly_one
from tests.support.harness import doubling, draft
from tests.support.on_kubernetes import BotOnKubernetes

pytestmark = pytest.mark.xdist_group("kubernetes")


@pytest.fixture(scope="module")
def bot() -> Iterator[BotOnKubernetes]:
    with BotOnKubernetes() as bot:
        yield bot


def test_a_label_becomes_a_pull_request_in_a_job(bot: BotOnKubernetes) -> None:
    repo = bot.make_repo()
    bot.script([draft()], doubling())
    number = bot.forge.open_issue(repo.full_name, "ada", "Double numbers", "4 becomes 8, please.").number
    bot.forge.add_label(repo.full_name, number, "agent:implement", "ada")
    state = bot.finished(repo, "issue", number)
    assert state.status == "done", (state.code, state.reason)
    assert_exactly_one(bot, repo, number)
    (run,) = bot.runs_on(repo, "issue", number)
    (made,) = bot.cluster.made
    started = [each.event for each in bot.store.entries(run) if isinstance(each.event, PhaseStarted)]
    places = {each.phase: (each.runner, each.worker == made) for each in started}
    assert places == {
        "prepare": ("celery", False),
        "specify": ("kubernetes", True),
        "baseline": ("kubernetes", True),
        "implement": ("kubernetes", True),
        "verify": ("kubernetes", True),
        "publish": ("celery", False),
    }, "one Job for the chain of phases"
    assert bot.api.violations == []
