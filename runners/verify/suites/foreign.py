"""Suites of other languages and tools: their commands, and the reading of their results."""

import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable, Mapping
from typing import Literal, Self

from pydantic import Field, model_validator

from gherkin.values import Frozen
from runners.verify.verdict import Failure, Outcome

Format = Literal["junit", "jest", "go", "cargo", "unittest", "exit-code"]
REPORT = "{report}"
PYTHON = "{python}"


class TestSuite(Frozen):
    """One suite of a repository: a command, and how its results are read."""

    __test__ = False  # not a class of tests, whatever its name

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9 _.-]{0,39}$", description="What it is called.")
    command: str = Field(
        description="Run with bash in the checkout; `{report}` stands for the file of its report, `{python}` "
        "for the Python that reports what unittest does."
    )
    format: Format = Field(
        default="junit",
        description="`junit`: a JUnit XML file at `{report}`; `jest`: its JSON there; `go`, `cargo`: what "
        "they print; "
        "`unittest`: a script that runs unittest or Django's tests, as in `{python} runtests.py`; "
        "`exit-code`: nothing but that.",
    )

    @model_validator(mode="after")
    def _says_which_python(self) -> Self:
        if (self.format == "unittest") != (PYTHON in self.command):
            raise ValueError(f"the format `unittest` and `{PYTHON}` in the command belong together")
        return self


PRESETS: Mapping[str, TestSuite] = {
    suite.name: suite
    for suite in (
        TestSuite(name="unittest", command=f"{PYTHON} -m unittest discover", format="unittest"),
        TestSuite(
            name="jest",
            command="npx --no-install jest --ci --bail=false --onlyChanged=false --coverage=false --json "
            f"--outputFile={REPORT}",
            format="jest",
        ),
        TestSuite(
            name="vitest",
            command="npx --no-install vitest run --bail=0 --coverage.enabled=false --reporter=junit "
            f"--outputFile={REPORT}",
        ),
        TestSuite(name="go", command="go test -failfast=false -json ./...", format="go"),
        TestSuite(name="cargo", command="cargo test --offline --no-fail-fast", format="cargo"),
        TestSuite(name="cucumber-js", command=f"npx --no-install cucumber-js --format junit:{REPORT}"),
    )
}


class Results(Frozen):
    """The content of a report: the outcome of each test by its name, and the failures.

    `problem` says how the report contradicts itself; it is empty if it does not.
    """

    outcomes: dict[str, Outcome] = {}
    failures: tuple[Failure, ...] = ()
    problem: str = ""


class Unreadable(ValueError):
    """A report cannot be read."""


def read_results(suite: TestSuite, output: str, report: bytes, exit_code: int | None) -> Results:
    """Return the results that a suite printed (`output`) or wrote (`report`). Raises `Unreadable`."""
    if suite.format == "exit-code":
        passed = exit_code == 0
        failure = Failure(test=suite.name, message=output[-4000:])
        return Results(
            outcomes={suite.name: "passed" if passed else "failed"}, failures=() if passed else (failure,)
        )
    readers: Mapping[str, Callable[[], list[tuple[str, Outcome, str]]]] = {
        "junit": lambda: _junit(report),
        "jest": lambda: _jest(report),
        "go": lambda: _go(output),
        "cargo": lambda: _cargo(output),
    }
    outcomes: dict[str, Outcome] = {}
    failures: list[Failure] = []
    for name, outcome, message in readers[suite.format]():
        # If a name occurs twice, the worst outcome counts.
        if _RANK[outcome] < _RANK[outcomes.get(name, "passed")]:
            continue
        outcomes[name] = outcome
        if outcome in ("failed", "error"):
            failures.append(Failure(test=name, message=message[-4000:]))
    problem = _contradiction(report) if suite.format == "junit" else ""
    return Results(outcomes=outcomes, failures=tuple(failures), problem=problem)


def _contradiction(report: bytes) -> str:
    """Return a clause if a JUnit report counts more tests or failures than it lists, else an empty string."""
    for suite in ET.fromstring(report).iter("testsuite"):  # noqa: S314 - expat refuses expansion bombs
        cases = list(suite.iter("testcase"))
        bad = sum(any(each.tag in ("failure", "error") for each in case) for case in cases)
        declared = [suite.get(name, "") for name in ("tests", "failures", "errors")]
        tests, failures, errors = (int(each) if each.isdecimal() else 0 for each in declared)
        if tests > len(cases) or (failures + errors > 0 and bad == 0):
            return (
                f"its report counts {tests} tests and {failures + errors} failures, and lists "
                f"{len(cases)} and {bad}"
            )
    return ""


_RANK: dict[Outcome, int] = {
    "passed": 0,
    "skipped": 1,
    "undefined": 2,
    "missing": 2,
    "failed": 3,
    "error": 4,
}


def _junit(report: bytes) -> list[tuple[str, Outcome, str]]:
    """Read a JUnit report, as https://github.com/testmoapp/junitxml describes the tools' common format."""
    try:
        tree = ET.fromstring(report)  # noqa: S314 - expat refuses expansion bombs
    except ET.ParseError as error:
        raise Unreadable(f"its report is not JUnit XML ({error})") from None
    found: list[tuple[str, Outcome, str]] = []
    for case in tree.iter("testcase"):
        name = "::".join(filter(None, (case.get("classname"), case.get("name"))))
        kinds = {each.tag: each for each in case}
        bad = kinds.get("failure", kinds.get("error"))
        if bad is not None:
            message = "\n".join(filter(None, (bad.get("message"), (bad.text or "").strip())))
            found.append((name, "failed" if "failure" in kinds else "error", message))
        else:
            found.append((name, "skipped" if "skipped" in kinds else "passed", ""))
    return found


def _jest(report: bytes) -> list[tuple[str, Outcome, str]]:
    """Read jest's JSON, https://jestjs.io/docs/cli#--json."""
    outcomes: Mapping[str, Outcome] = {"passed": "passed", "failed": "failed"}
    found: list[tuple[str, Outcome, str]] = []
    try:
        data = json.loads(report)
        for file in data["testResults"]:
            tests = file["assertionResults"]
            if file["status"] == "failed" and not tests:
                found.append((_tail_of(file["name"]), "error", file.get("message", "")))
            for test in tests:
                name = f"{_tail_of(file['name'])}::{test['fullName']}"
                message = "\n".join(test.get("failureMessages") or ())
                found.append((name, outcomes.get(test["status"], "skipped"), message))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise Unreadable("its report is not jest's JSON") from None
    return found


def _tail_of(path: str) -> str:
    return path.removeprefix("/workspace/")


_GO_BROKEN = re.compile(r"FAIL\s+(\S+) \[(?:build|setup) failed\]")
_GO_OUTCOMES: Mapping[str, Outcome] = {"pass": "passed", "fail": "failed", "skip": "skipped"}


def _go(output: str) -> list[tuple[str, Outcome, str]]:
    """Read the events of test2json, https://pkg.go.dev/cmd/test2json.

    If a package fails without a failing test, for example because it does not build, it counts as one failing
    test.
    """
    found: list[tuple[str, Outcome, str]] = []
    said: dict[str, list[str]] = {}
    failed: set[str] = set()
    for line in output.splitlines():
        try:
            event = json.loads(line)
            package, test, action = event.get("Package", ""), event.get("Test"), event["Action"]
        except (ValueError, KeyError, AttributeError, TypeError, RecursionError):
            if broken := _GO_BROKEN.match(line):  # before Go 1.24 this is a line of text and not an event
                found.append((broken[1], "error", line))
            continue
        name = f"{package}::{test}" if test else package or str(event.get("ImportPath", ""))
        if action in ("output", "build-output"):
            said.setdefault(name, []).append(str(event.get("Output", "")))
        elif action in _GO_OUTCOMES and test:
            found.append((name, _GO_OUTCOMES[action], "".join(said.pop(name, ()))))
            if action == "fail":
                failed.add(str(package))
        elif action == "fail" and str(package) not in failed:
            found.append((name, "error", "".join(said.pop(name, ()))))
    return found


_CARGO = re.compile(r"test (\S.*?) \.\.\. (ok|FAILED|ignored)")
_CARGO_TARGET = re.compile(r"\s*(?:Running (?:unittests )?(\S+)|Doc-tests (\S+))")
_CARGO_LINE = re.compile(r" \(line \d+\)$")
_CARGO_SAID = re.compile(r"---- (\S.*) stdout ----$")
_CARGO_OUTCOMES: Mapping[str, Outcome] = {"ok": "passed", "FAILED": "failed", "ignored": "skipped"}


def _cargo(output: str) -> list[tuple[str, Outcome, str]]:
    """Read the lines that `cargo test` prints, https://doc.rust-lang.org/rustc/tests/."""
    target = ""
    tests: list[tuple[str, str, Outcome]] = []
    said: dict[str, list[str]] = {}
    saying: list[str] | None = None
    for line in output.split("\n"):
        if heading := _CARGO_SAID.match(line):
            saying = said.setdefault(heading[1], [])
        elif line.startswith(("---- ", "failures:")):
            saying = None
        elif saying is not None:
            saying.append(line)
        # A line of a test's own output may look like a result, so it is checked for this too.
        if running := _CARGO_TARGET.match(line):
            target = running[1] or running[2]
        elif result := _CARGO.match(line):
            tests.append((target, result[1], _CARGO_OUTCOMES[result[2]]))
    found: list[tuple[str, Outcome, str]] = []
    for target, test, outcome in tests:
        name = _CARGO_LINE.sub("", test)  # the line number of an example changes with the lines above it
        message = "\n".join(said.pop(test, ()))
        found.append((f"{target}::{name}" if target else name, outcome, message))
    return found
