"""A worker that is told to stop ends the turn in hand, gives its run back, and leaves in time.

Nothing is paid for twice.
"""

import os
import signal
import threading
from typing import Any

from bot.forges.forge import Repo
from runners.models.chat import Reply
from tests.support.harness import BotUnderTest, doubling, draft
from tests.support.waiting import HANG_S, wait_until


class Held:
    """A turn that says when it is asked for, and is answered when it is released."""

    def __init__(self, reply: Reply) -> None:
        self.asked, self.released = threading.Event(), threading.Event()
        self._reply = reply

    def __call__(self, _request: dict[str, Any]) -> Reply:
        self.asked.set()
        assert self.released.wait(HANG_S)
        return self._reply


def bot_that_stops_within(seconds: float) -> BotUnderTest:
    """A bot whose leases are so long that a run which was not given back would not go on before the test
    ends."""
    return BotUnderTest({"lease_seconds": 3600.0, "stop_seconds": seconds})


def told_to_stop_in_a_turn(bot: BotUnderTest) -> tuple[Repo, int, Held]:
    """Tell the runs worker to stop while a turn is held; returns the issue and the turn."""
    first, *rest = doubling()
    assert isinstance(first, Reply)
    held = Held(first)
    bot.script([draft()], [held, *rest])
    repo = bot.make_repo()
    number = bot.forge.open_issue(repo.full_name, "ada", "Double numbers", "4 becomes 8, please.").number
    bot.forge.add_label(repo.full_name, number, "agent:implement", "ada")
    assert held.asked.wait(HANG_S)
    os.kill(bot.group.pid("runs"), signal.SIGTERM)
    wait_until(lambda: list((bot.state_dir / "tmp").glob("*/stopping")), "the worker's last turns")
    return repo, number, held


def goes_on(bot: BotUnderTest, repo: Repo, number: int) -> None:
    """Wait until the worker has left; a new one ends the run."""
    wait_until(lambda: not bot.group.is_up("runs"), "the end of the worker")
    assert bot.group.revive() == ["runs"]
    state = bot.finished(repo, "issue", number)
    assert state.status == "done", state.reason


def test_the_turn_in_hand_is_ended_and_kept() -> None:
    with bot_that_stops_within(600) as bot:
        repo, number, held = told_to_stop_in_a_turn(bot)
        held.released.set()
        goes_on(bot, repo, number)
        assert len(bot.chat.requests) == 1 + len(doubling()) + 1, "no turn is asked for again"
        started = [
            entry.event
            for entry in bot.store.entries(bot.runs_on(repo, "issue", number)[0])
            if entry.event.type == "PhaseStarted" and entry.event.phase == "implement"
        ]
        assert len(started) == 2


def test_a_turn_that_takes_longer_is_broken_off() -> None:
    """The reply never comes, so the worker leaves without it."""
    with bot_that_stops_within(2) as bot:
        repo, number, held = told_to_stop_in_a_turn(bot)
        wait_until(lambda: not bot.group.is_up("runs"), "the end of the worker")
        held.released.set()
        goes_on(bot, repo, number)
