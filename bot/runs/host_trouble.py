"""Errors whose cause is the machine: the phase is repeated when there is room again."""

import errno
import os

from gherkin.errors import ScenaristError
from runners.git.command import GitFailed


class HostTrouble(ScenaristError):
    """The machine lacks something temporarily: free or writable disk, memory, open files."""

    code = "SCN-6005"
    next_step = (
        "Free disk space (`scenarist gc`), or check the disk and the worker's limits. The phase is "
        "repeated automatically."
    )


_LACKING = {
    errno.ENOSPC: "no space is left on the disk",
    errno.EDQUOT: "the disk quota is used up",
    errno.EROFS: "the disk is read-only",
    errno.ENOMEM: "no memory is left",
    errno.EMFILE: "too many files are open",
    errno.ENFILE: "too many files are open",
}


def host_trouble(error: Exception) -> HostTrouble | None:
    """Return `error` as a `HostTrouble`, or None if its cause is not this machine."""
    said = _LACKING.get(error.errno or 0) if isinstance(error, OSError) else None
    if isinstance(error, MemoryError):
        said = _LACKING[errno.ENOMEM]
    if said is None and isinstance(error, GitFailed):
        said = next(
            (words for number, words in _LACKING.items() if os.strerror(number) in error.message), None
        )
    return HostTrouble(f"On this worker's machine {said}.") if said else None
