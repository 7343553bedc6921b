"""Count what happens where no event of a run is logged, such as a command that was stopped.

The places that count know nothing of metrics. Without a listener, counting does nothing.
"""

from collections.abc import Callable
from typing import Literal

# What is counted, and what its label says:
#   command stopped        why: timed out, disk full, memory full
#   environment looked up  hit or miss
#   lease lost             (none)
#   run handed over        (none)
#   forge requests left    the forge; the value is how many requests its rate limit still allows
Counted = Literal[
    "command stopped", "environment looked up", "lease lost", "run handed over", "forge requests left"
]
Listener = Callable[[Counted, str, float], None]

_listeners: list[Listener] = []


def count(what: Counted, label: str = "", value: float = 1.0) -> None:
    """Tell all listeners that something happened. `label` is one of a few words and never a stranger's."""
    for listener in _listeners:
        listener(what, label, value)


def listen(listener: Listener) -> None:
    """Call `listener` for everything that is counted from now on in this process."""
    if listener not in _listeners:
        _listeners.append(listener)
