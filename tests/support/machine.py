"""What some tests need from the machine beyond the set-up. This is the only module that skips tests.

Such a test has the mark ``@pytest.mark.needs("root")``. If the machine does not offer that, or the check
fails, this test is skipped with the reason, and no other test is affected. The check runs just before the
first test that needs it.
"""

import ctypes
import functools
import os
import shutil
from collections.abc import Callable

import pytest

from runners.sandbox import cgroups
from tests.support import browser, containers


def _root() -> str | None:
    """Check for root, without whom the positive control of some attacks fails."""
    return None if os.geteuid() == 0 else "the tests do not run as root"


def _control_groups() -> str | None:
    """Check for control groups, which the sandbox uses where it can and must not leave behind."""
    with cgroups.control_group(10, 100) as group:
        return None if group.words else "no control group can be made here"


def _kernel_keys() -> str | None:
    """Check for the kernel's keyrings, which containers often refuse."""
    numbers = (248, 250) if os.uname().machine == "x86_64" else (217, 219)
    libc = ctypes.CDLL(None, use_errno=True)
    key = libc.syscall(numbers[0], b"user", b"scenarist-probe", b"x", 1, -4)
    if key < 0:
        return "the kernel keeps no keys here"
    libc.syscall(numbers[1], 3, key)  # KEYCTL_REVOKE
    return None


def _x86_64() -> str | None:
    """Check for x86_64, which alone has a second set of numbers for system calls (x32)."""
    return None if os.uname().machine == "x86_64" else f"this is {os.uname().machine}"


def _chromium() -> str | None:
    """The set-up installs Debian's; not all systems have such a package."""
    return None if browser.chromium() else "there is no Chromium; `sh scripts/bootstrap.sh tests` says why"


def _git_lfs() -> str | None:
    """The client of Git LFS is a package of its own, which Scenarist itself does not use."""
    return None if shutil.which("git-lfs") else "there is no git-lfs on the PATH"


_PROBES: dict[str, Callable[[], str | None]] = {
    "root": _root,
    "containers": containers.problem,
    "control groups": _control_groups,
    "kernel keys": _kernel_keys,
    "x86_64": _x86_64,
    "chromium": _chromium,
    "git-lfs": _git_lfs,
}


@functools.cache
def missing(need: str) -> str | None:
    """Return None if the machine offers `need`, else the reason; checked once in a process.

    Raises `KeyError` for an unknown need.
    """
    probe = _PROBES[need]
    try:
        return probe()
    except Exception as error:
        return f"looking for it failed: {type(error).__name__}: {error}"


def skip_without(item: pytest.Item) -> None:
    """Skip a test if the machine does not offer what its marks name."""
    for mark in item.iter_markers("needs"):
        for need in mark.args:
            if (reason := missing(need)) is not None:
                pytest.skip(f"needs {need}: {reason}")
