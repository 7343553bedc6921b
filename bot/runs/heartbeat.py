"""Something that is done again and again while other work goes on."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def beating(beat: Callable[[], bool], seconds: float, name: str) -> Iterator[None]:
    """Call `beat` every `seconds` on a thread of its own until it says False or the block ends."""
    stop = threading.Event()

    def go_on() -> None:
        while not stop.wait(seconds) and beat():
            pass

    thread = threading.Thread(target=go_on, name=name, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
