"""Assert that the time of work is linear in the size of its input."""

import time
from collections.abc import Callable

_TIMES = 8
_ENOUGH_S = 0.02


def assert_linear(make: Callable[[int], str], work: Callable[[str], object], size: int = 20_000) -> None:
    """Assert that eight times as much input takes at most about 48 times the processor time.

    Quadratic work takes 64 times. The input grows until the work takes long enough to be measured, so the
    speed and the load of the machine do not matter.
    """
    while (small := _seconds(work, make(size))) < _ENOUGH_S and size < 200_000:
        size *= 4
    large = _seconds(work, make(size * _TIMES))
    assert large < 6 * _TIMES * max(small, _ENOUGH_S / 4), (size, small, large)


def _seconds(work: Callable[[str], object], text: str) -> float:
    """Return the processor seconds of `work`: the smaller of two tries, in case one collects garbage."""
    tries = []
    for _ in range(2):
        begun = time.thread_time()
        work(text)
        tries.append(time.thread_time() - begun)
    return min(tries)
