"""A bounded memory of what was read from git repositories."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable


class Recent:
    """Keeps the texts that were used last, up to `room` characters in all; threads may share it.

    It is for what never changes: objects that are named by the hash of their content.
    """

    def __init__(self, room: int) -> None:
        self._room = room
        self._kept: OrderedDict[Hashable, str] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable, read: Callable[[], str]) -> str:
        """Return the text of `key`; `read` is called if it is not kept. What `read` raises is not kept."""
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        text = read()
        with self._lock:
            before = self._kept.pop(key, "")
            self._kept[key] = text
            self._room += len(before) - len(text)
            while self._room < 0:
                _, oldest = self._kept.popitem(last=False)
                self._room += len(oldest)
        return text
