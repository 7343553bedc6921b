"""Repeat a call in the background while other work is done."""

import contextvars
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def beating(beat: Callable[[], bool], seconds: float, name: str) -> Iterator[None]:
    """Call `beat` every `seconds` in its own thread until it returns False or the block ends.

    `name` is the thread's name.
    """
    stop = threading.Event()

    def go_on() -> None:
        while not stop.wait(seconds) and beat():
            pass

    about = contextvars.copy_context()  # it logs about the same run
    thread = threading.Thread(target=lambda: about.run(go_on), name=name, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
