"""Runs unittest and reports one JSON line a test.

It runs inside the sandbox, beside the repository's code, and imports nothing of Scenarist.

    python /opt/scenarist/scenarist_unittest.py REPORT ARGUMENTS…
"""

from __future__ import annotations

import json
import sys
import traceback
from typing import Any

import scenarist_path
from scenarist_watch import parts, replaced

scenarist_path.load("unittest", "unittest.main", "unittest.mock")

import unittest  # noqa: E402


class Result(unittest.TextTestResult):
    """Notes what came of each test; a test that fails in several sub-tests fails once."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.rows: dict[str, tuple[str, str, str]] = {}

    def note(self, test: Any, outcome: str, message: str = "") -> None:
        name = str(getattr(test, "_testMethodName", "") or test)
        where = f"{type(test).__module__}.{type(test).__qualname__}"
        record = f"{where}::{name}"
        if self.rows.get(record, ("",))[0] not in ("failed", "error"):
            self.rows[record] = (outcome, record, message[-4000:])

    def addSuccess(self, test: Any) -> None:
        super().addSuccess(test)
        self.note(test, "passed")

    def addFailure(self, test: Any, err: Any) -> None:
        super().addFailure(test, err)
        self.note(test, "failed", "".join(traceback.format_exception(*err)))

    def addError(self, test: Any, err: Any) -> None:
        super().addError(test, err)
        self.note(test, "error", "".join(traceback.format_exception(*err)))

    def addSubTest(self, test: Any, subtest: Any, err: Any) -> None:
        super().addSubTest(test, subtest, err)
        if err is not None:
            self.note(test, "failed", "".join(traceback.format_exception(*err)))

    def addSkip(self, test: Any, reason: str) -> None:
        super().addSkip(test, reason)
        self.note(test, "skipped")

    def addExpectedFailure(self, test: Any, err: Any) -> None:
        super().addExpectedFailure(test, err)
        self.note(test, "skipped")

    def addUnexpectedSuccess(self, test: Any) -> None:
        super().addUnexpectedSuccess(test)
        self.note(test, "failed", "It was expected to fail, and did not.")


def main() -> int:
    # The report is opened and greeted before any test is loaded.
    report = open(sys.argv[1], "w", encoding="utf-8")  # noqa: SIM115 - open until the process ends
    report.write(json.dumps({"hello": 1}) + "\n")
    report.flush()
    # Held here, where code under test does not look for them.
    look, compare, own = parts, replaced, ("unittest", "builtins", "__main__")
    before = look(*own)
    runner = unittest.TextTestRunner(resultclass=Result, verbosity=1)
    program = unittest.main(module=None, argv=["unittest", *sys.argv[2:]], testRunner=runner, exit=False)
    rows = program.result.rows.values()  # type: ignore[attr-defined]
    for outcome, name, message in rows:
        record = {"test": name, "outcome": outcome, "path": "", "line": None, "message": message}
        report.write(json.dumps(record) + "\n")
    report.write(json.dumps({"end": len(rows), "replaced": compare(before, look(*own))}) + "\n")
    report.flush()
    return 0 if program.result.wasSuccessful() else 1


if __name__ == "__main__":
    sys.exit(main())
