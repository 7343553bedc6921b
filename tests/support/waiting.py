"""Wait for an event, or be slow on purpose. No other module of the tests sleeps."""

import threading
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

T = TypeVar("T")
# In seconds. What takes longer counts as hanging, also on a slow machine.
HANG_S = 300.0


def wait_until(ready: Callable[[], T | None], what: str, seconds: float = HANG_S) -> T:
    """Call `ready` repeatedly until it returns a true value, and return this value.

    Raises `AssertionError` with `what` after `seconds`, at least a minute, which only ends a hang.
    """
    deadline = time.monotonic() + seconds
    pause = 0.01
    while True:
        found = ready()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not happen within {seconds:.0f} s")
        time.sleep(pause)
        pause = min(0.1, 1.2 * pause)


def polled(look: Callable[[], T | None], stopping: threading.Event) -> Iterator[T]:
    """Call `look` repeatedly and yield what it returns, except None, until `stopping` is set."""
    while not stopping.is_set():
        found = look()
        if found is None:
            time.sleep(0.05)
        else:
            yield found


def dawdle(seconds: float) -> None:
    """Sleep for `seconds`, like a slow server.

    Only stand-ins and long chaos runs use this; a test waits for an event instead.
    """
    time.sleep(seconds)
