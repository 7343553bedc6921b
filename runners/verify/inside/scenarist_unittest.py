"""Run unittest and report one JSON line for each test.

It runs inside the sandbox, beside the repository's code, and imports nothing of Scenarist.

    python /opt/scenarist/scenarist_unittest.py REPORT SCRIPT|-m MODULE ARGUMENTS…

The script or module runs unittest: unittest itself, Django's manage.py, a project's runtests.py.
"""

from __future__ import annotations

import json
import os
import runpy
import sys
import traceback
from typing import Any

import scenarist_path
from scenarist_watch import parts, replaced

scenarist_path.load("unittest", "unittest.main", "unittest.mock")

import unittest  # noqa: E402


class Notes:
    """The outcome of each test; a test that fails in several sub-tests fails once."""

    def __init__(self) -> None:
        self.rows: dict[str, tuple[str, str, str]] = {}

    def note(self, test: Any, outcome: str, message: str = "") -> None:
        name = str(getattr(test, "_testMethodName", "") or test)
        where = f"{type(test).__module__}.{type(test).__qualname__}"
        record = f"{where}::{name}"
        if self.rows.get(record, ("",))[0] not in ("failed", "error"):
            self.rows[record] = (outcome, record, message[-4000:])


def listen(notes: Notes) -> None:
    """Make every result object of unittest, of any class, record the outcome of each test.

    Runners such as Django's bring result classes of their own, which all call the one that they inherit from.
    """
    plain = unittest.TestResult

    def noting(name: str, outcome: str, message: Any) -> None:
        inherited = getattr(plain, name)

        def added(self: Any, test: Any, *more: Any, **words: Any) -> None:
            inherited(self, test, *more, **words)
            said = message(*more, **words)
            if said is not None:
                notes.note(test, outcome, said)

        setattr(plain, name, added)

    noting("addSuccess", "passed", lambda *_more, **_words: "")
    noting("addFailure", "failed", _trace)
    noting("addError", "error", _trace)
    noting("addSubTest", "failed", lambda _subtest, err: None if err is None else _trace(err))
    noting("addSkip", "skipped", lambda *_more, **_words: "")
    noting("addExpectedFailure", "skipped", lambda *_more, **_words: "")
    noting("addUnexpectedSuccess", "failed", lambda: "It was expected to fail, and did not.")


def _trace(err: Any) -> str:
    return "".join(traceback.format_exception(*err))


def through(words: list[str]) -> int:
    """Run a script or module with its arguments, as ``python …`` would; returns its exit code."""
    try:
        if words[0] == "-m":
            sys.argv = words[1:]
            sys.path.insert(0, os.getcwd())
            runpy.run_module(words[1], run_name="__main__", alter_sys=True)
        else:
            sys.argv = words
            sys.path.insert(0, os.path.dirname(os.path.abspath(words[0])))
            runpy.run_path(words[0], run_name="__main__")
    except SystemExit as end:
        if isinstance(end.code, (str, bool)):
            print(end.code, file=sys.stderr)
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0


def main() -> int:
    # The report is opened and greeted before any test is loaded.
    report = scenarist_path.open_report(sys.argv[1])
    # Held in local names, which code under test cannot replace through the module.
    look, compare, own = parts, replaced, ("unittest", "builtins", "__main__")
    notes = Notes()
    listen(notes)
    before = look(*own)
    code = through(sys.argv[2:])
    rows = notes.rows.values()
    for outcome, name, message in rows:
        record = {"test": name, "outcome": outcome, "path": "", "line": None, "message": message}
        report.write(json.dumps(record) + "\n")
    report.write(json.dumps({"end": len(rows), "replaced": compare(before, look(*own))}) + "\n")
    report.flush()
    return code


if __name__ == "__main__":
    sys.exit(main())
