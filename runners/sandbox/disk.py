"""How much a command's workspace takes on the disk, looked at while the command runs."""

import os
import time
from collections.abc import Iterable
from pathlib import Path

_FIRST_S = 0.25
# A look at a large tree takes long, so the next one is put off: at most a twentieth of the time goes into looking.
_SHARE = 20


class DiskWatch:
    """Looks at `folders` (their sizes taken together) now and then; `limit_mb` is in MiB.

    A command that ends sooner than the first look is not looked at: the next one finds what it left.
    """

    def __init__(self, folders: Iterable[Path], limit_mb: float) -> None:
        self._folders = list(folders)
        self._limit_mb = limit_mb
        self._next = time.monotonic() + _FIRST_S
        self.used_mb = 0.0

    def full(self) -> bool:
        """Whether the folders take more than they may, by the newest look."""
        now = time.monotonic()
        if now >= self._next:
            self.used_mb = sum(map(size_of, self._folders)) / (1 << 20)
            took = time.monotonic() - now
            self._next = now + max(_FIRST_S, _SHARE * took)
        return self.used_mb > self._limit_mb


def size_of(folder: Path) -> int:
    """Bytes that the files below `folder` take on the disk; links are not followed, and what vanishes is left out."""
    total = 0
    pending = [str(folder)]
    while pending:
        try:
            with os.scandir(pending.pop()) as entries:
                for entry in entries:
                    try:
                        total += entry.stat(follow_symlinks=False).st_blocks * 512
                    except OSError:
                        continue
                    if entry.is_dir(follow_symlinks=False):
                        pending.append(entry.path)
        except OSError:
            continue
    return total
