"""Runs in a store without a bot: a clock for tests, requests, leases, and direct calls of a driver."""

from typing import get_args

from bot.log.events import Phase, RunRequested
from bot.log.state import RunState, fold
from bot.runs.driver import Driver
from bot.storage.leases import RunClaim
from bot.storage.store import Store
from runners.contract.workorder import WorkOrder

PHASES: tuple[Phase, ...] = get_args(Phase)


class Clock:
    """A clock that shows `now` (seconds), which only tests change."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


def request(key: str, number: int = 1) -> RunRequested:
    """Return the request of a run on issue `number` of ``o/r``; `key` makes it unique."""
    order = WorkOrder(
        kind="implement", number=number, title="A title", body="", requested_by="ada", requested_at=""
    )
    return RunRequested(forge="local", repo="o/r", order=order, order_sha256=order.digest, key=key)


def start(store: Store, key: str = "k", target: str = "t", *, exclusive: bool = False) -> str | None:
    """Request a run; returns its id, or None if the store refuses it."""
    return store.request_run(request(key), target=target, exclusive=exclusive)


def claim(store: Store, run_id: str, seconds: float = 30) -> RunClaim:
    """Claim a run whose next phase is prepare."""
    found = store.claim(run_id, ["prepare"], seconds)
    assert found is not None
    return found


def drive(store: Store, driver: Driver, clock: Clock, run_id: str) -> RunState:
    """Let a driver work on a run until it ends, and advance the clock by five minutes between phases."""
    for _ in range(60):
        driver.advance(run_id)
        state = fold(store.entries(run_id))
        if state.status != "active":
            return state
        clock.now += 301
    raise AssertionError("the run did not end")
