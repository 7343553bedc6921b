"""Waiting for an event, and slowness that is part of a test. No other module of the tests sleeps."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
# How long anything may take, on a machine however slow, before it counts as hanging (in seconds).
HANG_S = 300.0


def wait_until(ready: Callable[[], T | None], what: str, seconds: float = HANG_S) -> T:
    """Ask `ready` again and again until it returns something true, and return that.

    Raises `AssertionError` with `what` after `seconds`, which only end a hang: a minute at least.
    """
    deadline = time.monotonic() + seconds
    while True:
        found = ready()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not happen within {seconds:.0f} s")
        time.sleep(0.02)


def dawdle(seconds: float) -> None:
    """Take some time, as a slow server does.

    For stand-ins and long chaos runs; a test waits for an event instead.
    """
    time.sleep(seconds)
