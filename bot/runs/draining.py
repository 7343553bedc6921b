"""Stopping a worker: the process that gets the signal informs the others of its pool through a file."""

import time
from pathlib import Path

# A turn may continue for this share of the grace time. Then it is stopped, and another worker continues it.
_TURN_SHARE = 0.7


class Draining:
    """Whether the worker must stop.

    `path` is a file for this purpose that does not exist yet, `grace_s` is the grace time in seconds.
    """

    def __init__(self, path: Path, grace_s: float) -> None:
        self._path = path
        self._grace_s = grace_s

    def begin(self) -> None:
        """Stop the worker: start no more phases, and end the current ones after their turn."""
        self._path.touch()

    @property
    def begun(self) -> bool:
        return self._path.exists()

    @property
    def urgent(self) -> bool:
        """Return whether the current turns must be stopped, because most of the grace time is used."""
        try:
            since = self._path.stat().st_mtime
        except FileNotFoundError:
            return False
        return time.time() - since > _TURN_SHARE * self._grace_s
