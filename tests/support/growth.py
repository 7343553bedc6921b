"""Whether work grows in proportion to its input."""

import time
from collections.abc import Callable

_TIMES = 8
_ENOUGH_S = 0.02


def assert_linear(make: Callable[[int], str], work: Callable[[str], object], size: int = 20_000) -> None:
    """Assert that eight times as much input takes at most about six times eight times the processor time.

    Quadratic work takes 64 times. The input grows until the work takes long enough to be measured, so that
    neither the speed of the machine nor what else it does matters.
    """
    while (small := _seconds(work, make(size))) < _ENOUGH_S and size < 200_000:
        size *= 4
    large = _seconds(work, make(size * _TIMES))
    assert large < 6 * _TIMES * max(small, _ENOUGH_S / 4), (size, small, large)


def _seconds(work: Callable[[str], object], text: str) -> float:
    """The processor time of this thread, without what a collection of garbage adds to one of two tries."""
    tries = []
    for _ in range(2):
        begun = time.thread_time()
        work(text)
        tries.append(time.thread_time() - begun)
    return min(tries)
