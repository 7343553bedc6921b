"""Processes are killed in the middle of a run: it ends in exactly one pull request all the same."""

from collections.abc import Iterator

import pytest

from bot.log.state import RunState
from tests.chaos.moments import SHORT, TWO_CANDIDATES, assert_exactly_one, moment
from tests.support.harness import CALC, BotUnderTest, doubling, draft
from tests.support.waiting import wait_until

pytestmark = pytest.mark.xdist_group("chaos")  # one bot for all


@pytest.fixture(scope="module")
def bot() -> Iterator[BotUnderTest]:
    with BotUnderTest({"lease_seconds": 4.0}) as bot:
        yield bot


def killed(
    bot: BotUnderTest,
    name: str,
    kind: str,
    phase: str,
    victims: tuple[str, ...],
    *,
    more: str = "",
    after: str = "",
) -> RunState:
    """Kill `victims` at a moment of a run; `more` are lines of its `.scenarist.yml`. Returns its end."""
    config = CALC[".scenarist.yml"] + more
    repo = bot.make_repo(f"octo/{name}", {**CALC, ".scenarist.yml": config})
    bot.script([draft()], doubling())
    number = bot.forge.open_issue(repo.full_name, "ada", "Double numbers", "4 becomes 8, please.").number
    bot.forge.add_label(repo.full_name, number, "agent:implement", "ada")

    def arrived() -> bool:
        runs = bot.runs_on(repo, "issue", number)
        return bool(runs) and moment(bot.store.entries(runs[0]), kind, phase, after=after)

    wait_until(arrived, f"{kind} {phase}")
    for victim in victims:
        bot.group.kill(victim)
    assert set(bot.group.revive()) == set(victims)
    wait_until(bot.is_up, "the web app")
    state = bot.finished(repo, "issue", number)
    assert state.status == "done", (state.code, state.reason)
    assert_exactly_one(bot, repo, number)
    return state


@pytest.mark.parametrize(("kind", "phase", "victims"), SHORT)
def test_a_killed_process_loses_and_doubles_nothing(
    bot: BotUnderTest, kind: str, phase: str, victims: tuple[str, ...]
) -> None:
    killed(bot, f"{kind}{phase}".lower(), kind, phase, victims)


def test_a_killed_worker_loses_and_doubles_no_candidate(bot: BotUnderTest) -> None:
    # The whole list is `make chaos`.
    killing = ("candidates", "ToolCalled", "", ("runs",))
    state = killed(bot, *killing, more=TWO_CANDIDATES, after="CandidateBegun")
    assert [(each.ended.number, each.ended.status) for each in state.candidates] == [
        (1, "green"),
        (2, "green"),
    ]
    first, second = (each.ended.turns for each in state.candidates)
    assert first == second, "no reply is paid for twice"
