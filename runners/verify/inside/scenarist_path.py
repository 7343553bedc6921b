"""Load a test runner from its installation, and not from a module of the repository with the same name.

A harness imports this module before all others. Python then searches no folder of the repository until `load`
is called, not even one that the environment puts on the search path.
"""

from __future__ import annotations

import os
import sys
import time
from typing import IO

# How long the verifier may take to read the first line of a report, in seconds.
_PATIENCE_S = 60.0


def _outside(places: list[str]) -> list[str]:
    here = os.getcwd() + os.sep
    return [place for place in places if place and not (os.path.abspath(place) + os.sep).startswith(here)]


_whole = [os.getcwd(), *sys.path]
sys.path[:] = _outside(sys.path)


def load(*names: str) -> None:
    """Import the modules `names`, then search the working directory first, as ``python -m`` would.

    If a module is not installed, it is imported from the repository, which can be the test runner's own.
    """
    try:
        for name in names:
            __import__(name)
    except ImportError:
        sys.path[:] = _whole
        for name in names:
            __import__(name)
    sys.path[:] = _whole


def open_report(path: str) -> IO[str]:
    """Open the report, which is a pipe, write its first line, and wait until the verifier removes its name.

    Code of the repository may be loaded only after that: it could open the pipe by its name and read records.
    """
    report = open(path, "w", encoding="utf-8")  # noqa: SIM115 - open until the process ends
    report.write('{"hello": 1}\n')
    report.flush()
    end = time.monotonic() + _PATIENCE_S
    while os.path.exists(path):
        if time.monotonic() > end:
            sys.exit("Nobody reads the report.")
        time.sleep(0.001)
    return report
