"""What a test needs of the machine beyond what the set-up installs. This is the only place that skips tests.

A test says ``@pytest.mark.needs("root")``. Where the machine does not offer that, or where looking for it
fails, the test is skipped with the reason, and no other test is affected. Nothing is looked for before a test
that needs it is about to run.
"""

import ctypes
import functools
import os
from collections.abc import Callable

import pytest

from runners.sandbox import cgroups
from tests.support import containers


def _root() -> str | None:
    """Some attacks succeed as root only, so for anybody else there is no control that shows them succeed
    unguarded."""
    return None if os.geteuid() == 0 else "the tests do not run as root"


def _control_groups() -> str | None:
    """The sandbox works without control groups; where it makes them, it must leave none."""
    with cgroups.control_group(10, 100) as group:
        return None if group.words else "no control group can be made here"


def _kernel_keys() -> str | None:
    """Kernels in containers often refuse keyrings altogether."""
    numbers = (248, 250) if os.uname().machine == "x86_64" else (217, 219)
    libc = ctypes.CDLL(None, use_errno=True)
    key = libc.syscall(numbers[0], b"user", b"scenarist-probe", b"x", 1, -4)
    if key < 0:
        return "the kernel keeps no keys here"
    libc.syscall(numbers[1], 3, key)  # KEYCTL_REVOKE
    return None


def _x86_64() -> str | None:
    """Only x86_64 has a second set of numbers for system calls (x32)."""
    return None if os.uname().machine == "x86_64" else f"this is {os.uname().machine}"


_PROBES: dict[str, Callable[[], str | None]] = {
    "root": _root,
    "containers": containers.problem,
    "control groups": _control_groups,
    "kernel keys": _kernel_keys,
    "x86_64": _x86_64,
}


@functools.cache
def missing(need: str) -> str | None:
    """None if the machine offers `need`, else the reason why not; looked for once a process.

    Raises `KeyError`.
    """
    probe = _PROBES[need]
    try:
        return probe()
    except Exception as error:
        return f"looking for it failed: {type(error).__name__}: {error}"


def skip_without(item: pytest.Item) -> None:
    """Skip a test that is marked as needing something that the machine does not offer."""
    for mark in item.iter_markers("needs"):
        for need in mark.args:
            if (reason := missing(need)) is not None:
                pytest.skip(f"needs {need}: {reason}")
