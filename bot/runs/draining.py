"""A worker on its way out: the process that is told to stop tells the others of its pool, through a file."""

import time
from pathlib import Path

# A turn in progress may use this share of the grace time; then it is stopped, and another worker continues
# it.
_TURN_SHARE = 0.7


class Draining:
    """Whether the worker is to stop.

    `path` is a file of its own that does not exist yet, `grace_s` the grace time in seconds.
    """

    def __init__(self, path: Path, grace_s: float) -> None:
        self._path = path
        self._grace_s = grace_s

    def begin(self) -> None:
        """From now on no phase is begun, and the ones in hand end with their turn."""
        self._path.touch()

    @property
    def begun(self) -> bool:
        return self._path.exists()

    @property
    def urgent(self) -> bool:
        """Whether what is in hand can no longer be waited for."""
        try:
            since = self._path.stat().st_mtime
        except FileNotFoundError:
            return False
        return time.time() - since > _TURN_SHARE * self._grace_s
