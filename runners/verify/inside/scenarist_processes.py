"""Make every process and every test run that a step starts fail, or pass, without running it.

A step that stays green both ways does not check their results.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

FAILS, PASSES = "processes fail", "processes pass"
_STATUS = 97
_FAILING = f"import sys; print('broken on purpose'); print('broken', file=sys.stderr); sys.exit({_STATUS})"


@contextlib.contextmanager
def outcomes(how: str) -> Iterator[list[str]]:
    """Replace what processes, unittest, doctest and pytest do with the outcome `how`, `FAILS` or `PASSES`.

    Yields a list of what is started meanwhile.
    """
    import doctest
    import unittest
    from unittest import mock

    ran: list[str] = []
    passes = how == PASSES
    start = subprocess.Popen.__init__
    command = [sys.executable, "-c", "" if passes else _FAILING]

    def begin(self: Any, _args: Any, *more: Any, **options: Any) -> None:
        ran.append("process")
        options.update(shell=False, executable=None)
        start(self, command, *more, **options)

    def system(_command: Any) -> int:
        ran.append("process")
        return 0 if passes else _STATUS << 8

    def run(self: Any, result: Any = None) -> Any:
        ran.append("unittest")
        result = result or self.defaultTestResult()
        result.startTest(self)
        if passes:
            result.addSuccess(self)
        else:
            result.addFailure(self, (AssertionError, AssertionError("broken on purpose"), None))
        result.stopTest(self)
        return result

    def documented(*_args: Any, **_options: Any) -> Any:
        ran.append("doctest")
        return doctest.TestResults(0 if passes else 1, 1)

    def main(*_args: Any, **_options: Any) -> int:
        ran.append("pytest")
        return 0 if passes else 1

    with contextlib.ExitStack() as stack:
        for place, name, other in (
            (subprocess.Popen, "__init__", begin),
            (os, "system", system),
            (unittest.TestCase, "run", run),
            (doctest, "testmod", documented),
            (doctest, "testfile", documented),
            (sys.modules.get("pytest"), "main", main),
        ):
            if place is not None:
                stack.enter_context(mock.patch.object(place, name, other))
        yield ran
