"""Load a test runner from its installation, and not from a module of the repository with the same name.

A harness imports this module before all others. Python then searches no folder of the repository until `load`
is called, not even one that the environment puts on the search path.

The repository may be a package that the test runner itself uses (`parse` for behave, `pluggy` for pytest).
The runner then keeps the installed copy, and tests and steps that import the package get the repository's.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from importlib.machinery import PathFinder
from types import ModuleType
from typing import IO

# How long the verifier may take to read the first line of a report, in seconds.
_PATIENCE_S = 60.0


def _outside(places: list[str]) -> list[str]:
    here = os.getcwd() + os.sep
    return [place for place in places if place and not (os.path.abspath(place) + os.sep).startswith(here)]


_whole = [os.getcwd(), *sys.path]
sys.path[:] = _outside(sys.path)
# Modules that behave imports while it runs.
BEHAVE = (
    *("behave._stepimport", "behave.cucumber_expression", "behave.model_describe", "behave.parameter_type"),
    *("behave.formatter.plain", "behave.formatter.pretty", "behave.reporter.junit"),
    "behave.reporter.summary",
)
# Installed modules that only the test runner uses, by name: the repository has its own of the same package.
kept: dict[str, ModuleType] = {}


def load(*names: str, later: tuple[str, ...] = ()) -> None:
    """Import the modules `names`, then search the working directory first, as ``python -m`` would.

    If a module is not installed, it is imported from the repository, which can be the test runner's own.
    The packages of `names` stay what they are for everybody. Installed packages that they have imported and
    that the repository has, too, are imported from the repository from now on. `later` are modules that the
    test runner would import then, and that use such packages; what is not installed of them is left out.
    """
    try:
        for name in names:
            __import__(name)
    except ImportError:
        sys.path[:] = _whole
        for name in names:
            __import__(name)
    else:
        for name in later:
            with contextlib.suppress(ImportError):
                __import__(name)
        _set_aside({name.partition(".")[0] for name in names})
    sys.path[:] = _whole


def _set_aside(runner: set[str]) -> None:
    """Move installed packages that the repository has, too, from `sys.modules` to `kept`, except `runner`."""
    outside = _outside(_whole)
    own = [*(place for place in _whole if place not in outside), os.path.join(os.getcwd(), "src")]
    for package in {name.partition(".")[0] for name in list(sys.modules)} - runner:
        if not _is_installed(sys.modules.get(package)):
            continue
        spec = PathFinder.find_spec(package, own)
        if spec is None or spec.origin is None:  # a folder of that name alone is no package of the repository
            continue
        for name in list(sys.modules):
            if name.partition(".")[0] == package:
                kept[name] = sys.modules.pop(name)


def _is_installed(module: ModuleType | None) -> bool:
    """Return whether a module is neither Python's own nor a module of the harness."""
    folders = (getattr(module, "__file__", None) or "").split(os.sep)
    return "site-packages" in folders or "dist-packages" in folders


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
