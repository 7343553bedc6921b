"""A worker that is told to stop ends the turn in hand, gives its run back, and leaves in time; nothing is paid for twice."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from bot.forges.forge import Repo
from runners.models.chat import Reply
from tests.support.harness import BotUnderTest, doubling, draft
from tests.support.waiting import wait_until

pytestmark = pytest.mark.xdist_group("shutdown")  # one bot for all


@pytest.fixture(scope="module")
def bot() -> Iterator[BotUnderTest]:
    # The lease is so long that a run which was not given back would not end in time.
    with BotUnderTest({"lease_seconds": 300.0, "stop_seconds": 6.0}) as made:
        yield made


class Waiting:
    """A turn that says when it is asked for, and answers after `seconds`; asked again, it answers at once."""

    def __init__(self, reply: Reply, seconds: float) -> None:
        self.asked = threading.Event()
        self._reply, self._seconds = reply, seconds

    def __call__(self, _request: dict[str, Any]) -> Reply:
        if not self.asked.is_set():
            self.asked.set()
            time.sleep(self._seconds)
        return self._reply


def _stop_in_turn(bot: BotUnderTest, name: str, seconds: float) -> tuple[Repo, int, float]:
    """Stop the runs worker while a turn takes so many seconds; gives back the issue and how long it took to leave."""
    first, *rest = doubling()
    assert isinstance(first, Reply)
    slow = Waiting(first, seconds)
    again = [first] if seconds > 10 else []
    bot.script([draft()], [slow, *again, *rest])
    repo = bot.make_repo(f"octo/{name}")
    number = bot.forge.open_issue(repo.full_name, "ada", "Double numbers", "4 becomes 8, please.").number
    bot.forge.add_label(repo.full_name, number, "agent:implement", "ada")
    assert slow.asked.wait(60)
    before = time.monotonic()
    os.kill(bot.group.pid("runs"), signal.SIGTERM)
    wait_until(lambda: not bot.group.is_up("runs"), "the end of the worker", 20)
    took = time.monotonic() - before
    assert bot.group.revive() == ["runs"]
    return repo, number, took


def test_the_turn_in_hand_is_ended_and_kept(bot: BotUnderTest) -> None:
    asked = len(bot.chat.requests)
    repo, number, _ = _stop_in_turn(bot, "short", 2)
    state = bot.finished(repo, "issue", number)
    assert state.status == "done", state.reason
    assert len(bot.chat.requests) - asked == 1 + len(doubling()) + 1, "no turn is asked for again"
    started = [
        entry.event
        for entry in bot.store.entries(bot.runs_on(repo, "issue", number)[0])
        if entry.event.type == "PhaseStarted" and entry.event.phase == "implement"
    ]
    assert len(started) == 2


def test_a_turn_that_takes_longer_is_broken_off_in_time(bot: BotUnderTest) -> None:
    repo, number, took = _stop_in_turn(bot, "long", 30)
    assert took < 20, "it did not wait for the reply"
    state = bot.finished(repo, "issue", number)
    assert state.status == "done", state.reason
