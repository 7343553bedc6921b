"""Limit how often somebody may try a token."""

import time
from collections import deque
from collections.abc import Callable


class Attempts:
    """Counts failed attempts by address: `most` of one address, and 20 times as many of all, in `seconds`."""

    def __init__(
        self, most: int = 5, seconds: float = 60.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._most = most
        self._seconds = seconds
        self._clock = clock
        self._failed: deque[tuple[float, str]] = deque()

    def are_used_up(self, address: str) -> bool:
        """Return whether `address` has to wait."""
        while self._failed and self._failed[0][0] < self._clock() - self._seconds:
            self._failed.popleft()
        own = sum(each == address for _, each in self._failed)
        return own >= self._most or len(self._failed) >= 20 * self._most

    def failed(self, address: str) -> None:
        """Count a failed attempt."""
        self._failed.append((self._clock(), address))
