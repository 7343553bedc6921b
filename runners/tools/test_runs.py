"""Run the tests of a workspace for a model: all, some, or those that failed last; and other tools' tests.

It also measures the coverage of the diff.
"""

import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from gherkin.values import Frozen
from runners.sandbox.beneath import file_paths, folders, is_folder
from runners.sandbox.bubblewrap import WORKSPACE
from runners.tools.base import Refused, ToolContext, ToolResult
from runners.tools.files.paths import read_bytes
from runners.verify.diff import added_lines
from runners.verify.suites.run import SuiteRun, describe_failure, summarise
from runners.verify.suites.suites import Suites
from runners.verify.verdict import Failure

_MAX_REPORT = 5_000_000
_TEST_FILE = re.compile(r"(^|/)(test_[^/]*|[^/]*_test)\.py$")
_FAILED = re.compile(
    r"^[ \t]*(?:--- FAIL|FAIL\b|FAILED\b|not ok\b|error(?:\[\w+\])?:|E\s{2,}|\u2715|\u25cf|thread '.*' "
    r"panicked)",
    re.M,
)


class DetectedRunner(Frozen):
    """One way to run a repository's tests: its name, the command, and the file in which it was found."""

    name: str
    command: str
    found_in: str


def detect(root: Path, names: Sequence[str], commands: Sequence[str]) -> list[DetectedRunner]:
    """Return the test runners of the workspace `root`.

    They are found in its files `names` and in the repository's own `commands`.
    """
    found = [
        DetectedRunner(name=f"command {n}", command=line, found_in=".scenarist.yml")
        for n, line in enumerate(commands, 1)
    ]
    present = set(names)
    if features := next((n for n in names if n.endswith(".feature")), None):
        found.append(DetectedRunner(name="behave", command="python -m behave", found_in=features))
    tests = [n for n in names if _TEST_FILE.search(n)]
    if tests:
        found.append(DetectedRunner(name="pytest", command="python -m pytest", found_in=tests[0]))
    if "package.json" in present and "test" in _scripts(root):
        found.append(DetectedRunner(name="npm", command="npm test", found_in="package.json"))
    for marker, name, command in (
        ("go.mod", "go", "go test ./..."),
        ("Cargo.toml", "cargo", "cargo test --offline"),
        ("tox.ini", "tox", "tox"),
    ):
        if marker in present:
            found.append(DetectedRunner(name=name, command=command, found_in=marker))
    if "Makefile" in present and re.search(rb"^test\s*:", read_bytes(root, "Makefile", 1_000_000), re.M):
        found.append(DetectedRunner(name="make", command="make test", found_in="Makefile"))
    return found


def _scripts(root: Path) -> dict[str, object]:
    try:
        scripts = json.loads(read_bytes(root, "package.json", 1_000_000)).get("scripts", {})
    except (ValueError, AttributeError):
        return {}
    return scripts if isinstance(scripts, dict) else {}


@dataclass(frozen=True)
class Project:
    """The repository's settings for its checks: its own commands and the folder of its features."""

    commands: tuple[str, ...]
    features: str

    def runners(self, ctx: ToolContext) -> list[DetectedRunner]:
        """Return the test runners of the workspace in its present state."""
        return detect(ctx.root, ctx.git.files(), self.commands)


class Testing:
    """Runs tests in one workspace and remembers what failed.

    `before` are the runs of the suites without any change.
    """

    __test__ = False  # not a class of tests, whatever its name

    def __init__(self, root: Path, suites: Suites, before: Mapping[str, SuiteRun] | None = None) -> None:
        self._before = before or {}
        self._root = root
        self._suites = suites
        self._failed: dict[str, list[str]] = {}

    def run(self, paths: str | None) -> ToolResult:
        """Run the feature files, tests and folders in `paths` (separated by spaces), or all if None."""
        chosen = (paths or "").split()
        features: list[str] = []
        tests: list[str] = []
        for path in chosen:
            inside = _below(self._root, path)
            found = [each for each in inside if each.endswith(".feature")]
            own = [each for each in found if each.startswith(f"{self._suites.features}/")]
            features += [path] if ".feature" in path else own or found
            if ".feature" not in path and (not found or any(map(_TEST_FILE.search, inside))):
                tests.append(path)
        runs: list[tuple[str, SuiteRun]] = []
        if not chosen:
            runs += [(name, run(self._root)) for name, run in self._suites.all()]
        if features:
            runs.append(("behave", self._suites.behave(self._root, features)))
        if tests:
            runs.append(("pytest", self._suites.pytest(self._root, tests)))
        return self._noted(runs)

    def suite_run(self, path: str) -> SuiteRun:
        """Run the feature file or the Python test at `path`, and return its outcomes."""
        run = self._suites.behave if path.endswith(".feature") else self._suites.pytest
        return run(self._root, [path])

    def _noted(self, runs: Sequence[tuple[str, SuiteRun]]) -> ToolResult:
        for name, run in runs:
            fresh, _ = _apart(run, self._before.get(name))
            self._failed[name] = [_address(name, failure) for failure in fresh.failures]
        return _told(runs, self._before)

    def rerun(self) -> ToolResult:
        """Run the tests that failed in the last run."""
        failed = {name: what for name, what in self._failed.items() if what}
        if not failed:
            return ToolResult(ok=True, text="Nothing failed the last time the tests were run.")
        runs: list[tuple[str, SuiteRun]] = []
        for name, run in self._suites.all():
            if name == "behave" and name in failed:
                runs.append((name, self._suites.behave(self._root, failed[name])))
            elif name == "pytest" and name in failed:
                runs.append((name, self._suites.pytest(self._root, failed[name])))
            elif name in failed:
                runs.append((name, run(self._root)))  # other tools run all of their tests
        return self._noted(runs)


def _below(root: Path, path: str) -> list[str]:
    """Return the files in the folder `path`, as a model names it; none if it is not a folder."""
    folder = path.removeprefix(f"{WORKSPACE}/").removeprefix(WORKSPACE).rstrip("/") or "."
    return sorted(file_paths(root, folder)) if is_folder(root, folder) else []


def _address(suite: str, failure: Failure) -> str:
    return f"{failure.path}:{failure.line}" if suite == "behave" and failure.line else failure.test


def _apart(run: SuiteRun, before: SuiteRun | None) -> tuple[SuiteRun, list[str]]:
    """Return the run without the failures that also occur without the change, and the names of those."""
    if before is None:
        return run, []
    old = [each.test for each in run.failures if before.outcomes.get(each.test) in ("failed", "error")]
    failures = tuple(each for each in run.failures if each.test not in old)
    broken = None if before.broken else run.broken
    return replace(run, failures=failures, broken=broken), old


def _told(runs: Sequence[tuple[str, SuiteRun]], before: Mapping[str, SuiteRun]) -> ToolResult:
    """Return the results of runs for a model; failures that the base has too do not count for `ok`."""
    ok, texts, data = True, [], {}
    for name, run in runs:
        fresh, old = _apart(run, before.get(name))
        ok = ok and not fresh.failures and not fresh.broken
        text = summarise(fresh, name)
        if old:
            text += (
                f"\n\n{len(old)} of these fail without your change too: {_listed(old)}. Leave them as "
                "they are."
            )
        if run.broken and not fresh.broken:
            text += f"\n\nIt could not be run without your change either: {run.broken}"
        texts.append(text)
        failing = [failure.test for failure in fresh.failures[:50]]
        data[name] = {**run.counts.model_dump(), "failures": failing, "failed_before": len(old)}
    return ToolResult(ok=ok, text="\n\n".join(texts), data=data)


def _listed(names: Sequence[str], most: int = 10) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def run_command(ctx: ToolContext, runner: DetectedRunner) -> ToolResult:
    """Run another tool's tests, and show the failures from its JUnit report, or else from its output."""
    before = _reports(ctx.root)
    done = ctx.sandbox.run(["bash", "-c", runner.command], cancel=ctx.cancel)
    reports = [path for path, when in _reports(ctx.root).items() if before.get(path) != when]
    failures, passed = _read_reports(ctx.root, reports)
    ok = done.exit_code == 0
    data = {
        **done.model_dump(exclude={"output"}),
        "command": runner.command,
        "passed": passed,
        "failed": len(failures),
    }
    if failures or passed:
        head = f"{runner.name}: {passed} passed, {len(failures)} failed (exit code {done.exit_code})"
        text = "\n\n".join([head, *(describe_failure(failure) for failure in failures[:5])])
    else:
        text = (
            f"{runner.name}: exit code "
            f"{done.exit_code}\n{done.output[-500:] if ok else _excerpt(done.output)}"
        )
    return ToolResult(ok=ok, text=text.rstrip(), data=data)


def _reports(root: Path) -> dict[str, int]:
    """Return the JUnit reports at their usual places, each with the time of its last change."""
    found = {}
    for place, deep in (
        (".", False),
        ("reports", False),
        ("test-results", False),
        ("build/test-results", True),
    ):
        for folder, _, entries in folders(root, place):
            prefix = "" if folder == "." else f"{folder}/"
            for entry in entries:
                if entry.name.endswith(".xml") and entry.is_file(follow_symlinks=False):
                    found[prefix + entry.name] = entry.stat(follow_symlinks=False).st_mtime_ns
            if not deep or folder != place:
                entries.clear()
    return found


def _read_reports(root: Path, paths: Sequence[str]) -> tuple[list[Failure], int]:
    failures: list[Failure] = []
    passed = 0
    for path in paths:
        try:
            tree = ET.fromstring(read_bytes(root, path, _MAX_REPORT))  # noqa: S314 - expat refuses expansion bombs
        except ET.ParseError:
            continue
        for case in tree.iter("testcase"):
            name = "::".join(filter(None, (case.get("classname"), case.get("name"))))
            bad = next((each for each in case if each.tag in ("failure", "error")), None)
            if bad is not None:
                message = f"{bad.get('message') or ''}\n{bad.text or ''}".strip()
                failures.append(Failure(test=name, message=message))
            elif case.find("skipped") is None:
                passed += 1
    return failures, passed


def _excerpt(output: str, limit: int = 4000) -> str:
    """Return the parts of the output that look like failures with the lines after them, or else its end."""
    found = [match.start() for match in _FAILED.finditer(output)]
    if not found:
        return output[-limit:]
    lines = output[found[0] :]
    return lines[:limit] + ("\n[…]" if len(lines) > limit else "")


def diff_coverage(ctx: ToolContext, features: str) -> ToolResult:
    """Measure with coverage.py which of the added lines the tests and scenarios run."""
    script = (
        "set -u; export COVERAGE_FILE=/tmp/coverage; cover='python -m coverage'; "
        "$cover --version >/dev/null || exit 97; "
        "$cover run -m pytest -q -o cache_dir=/tmp/pytest-cache >/dev/null 2>&1; "
        f"[ -d {features!r} ] && $cover run -a -m behave --no-color {features!r} >/dev/null 2>&1; "
        "$cover json -q -o /tmp/coverage.json; cat /tmp/coverage.json"
    )
    limits = ctx.sandbox.limits.model_copy(update={"output_bytes": 50_000_000})
    done = ctx.sandbox.run(["bash", "-c", script], limits=limits, cancel=ctx.cancel)
    if done.exit_code == 97:
        raise Refused("coverage.py is not in this repository's environment. Reach the goal without it.")
    try:
        files = json.loads(done.output[done.output.index('{"meta"') :])["files"]
    except (ValueError, KeyError):
        raise Refused(
            f"No coverage could be measured: {done.output.strip()[-300:] or 'nothing was run'}"
        ) from None
    return _covered(added_lines(ctx.git.diff(None, base=True)), files)


def _covered(added: dict[str, set[int]], files: dict[str, dict[str, list[int]]]) -> ToolResult:
    lines, data = [], {}
    run = total = 0
    for path, numbers in sorted(added.items()):
        measured = files.get(path)
        if measured is None:
            continue
        hit = numbers & set(measured["executed_lines"])
        missed = sorted(numbers & set(measured["missing_lines"]))
        run, total = run + len(hit), total + len(hit) + len(missed)
        data[path] = {"run": len(hit), "missed": missed}
        if missed:
            lines.append(f"{path}: never run: {', '.join(map(str, missed[:60]))}")
    if not total:
        return ToolResult(
            ok=True, text="The work adds no Python line that could be run.", data={"files": data}
        )
    head = f"{run} of {total} added lines are run by the tests and scenarios ({100 * run // total} %)."
    return ToolResult(
        ok=True, text="\n".join([head, *lines]), data={"run": run, "total": total, "files": data}
    )
