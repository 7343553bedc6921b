"""Runs unittest and writes a JUnit report. It runs inside the sandbox, beside the repository's code, and imports nothing of
Scenarist.

    python scenarist_unittest.py REPORT ARGUMENTS…
"""

from __future__ import annotations

import sys
import traceback
import unittest
import xml.etree.ElementTree as ET
from typing import Any


class Result(unittest.TextTestResult):
    """Notes what came of each test; a test that fails in several sub-tests fails once."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.rows: dict[str, tuple[str, str, str, str]] = {}

    def note(self, test: Any, outcome: str, message: str = "") -> None:
        name = str(getattr(test, "_testMethodName", "") or test)
        where = f"{type(test).__module__}.{type(test).__qualname__}"
        if self.rows.get(test.id(), ("",))[0] not in ("failure", "error"):
            self.rows[test.id()] = (outcome, where, name, message)

    def addSuccess(self, test: Any) -> None:
        super().addSuccess(test)
        self.note(test, "")

    def addFailure(self, test: Any, err: Any) -> None:
        super().addFailure(test, err)
        self.note(test, "failure", "".join(traceback.format_exception(*err)))

    def addError(self, test: Any, err: Any) -> None:
        super().addError(test, err)
        self.note(test, "error", "".join(traceback.format_exception(*err)))

    def addSubTest(self, test: Any, subtest: Any, err: Any) -> None:
        super().addSubTest(test, subtest, err)
        if err is not None:
            self.note(test, "failure", "".join(traceback.format_exception(*err)))

    def addSkip(self, test: Any, reason: str) -> None:
        super().addSkip(test, reason)
        self.note(test, "skipped")

    def addExpectedFailure(self, test: Any, err: Any) -> None:
        super().addExpectedFailure(test, err)
        self.note(test, "skipped")

    def addUnexpectedSuccess(self, test: Any) -> None:
        super().addUnexpectedSuccess(test)
        self.note(test, "failure", "It was expected to fail, and did not.")


def main() -> int:
    report = sys.argv[1]
    sys.path.insert(0, "")
    runner = unittest.TextTestRunner(resultclass=Result, verbosity=1)
    program = unittest.main(module=None, argv=["unittest", *sys.argv[2:]], testRunner=runner, exit=False)
    suite = ET.Element("testsuite", name="unittest")
    for outcome, where, name, message in program.result.rows.values():  # type: ignore[attr-defined]
        case = ET.SubElement(suite, "testcase", classname=where, name=name)
        if outcome:
            ET.SubElement(case, outcome).text = "".join(c for c in message if c.isprintable() or c in "\n\t")
    ET.ElementTree(suite).write(report, encoding="utf-8")
    return 0 if program.result.wasSuccessful() else 1


if __name__ == "__main__":
    sys.exit(main())
