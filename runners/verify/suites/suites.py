"""Run behave, pytest and other suites in a sandbox, and read the outcome of each scenario and test."""

import contextlib
import copy
import itertools
import os
import shlex
import stat
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from gherkin.errors import Cancelled
from runners.policy.globs import matches
from runners.sandbox.beneath import file_paths
from runners.sandbox.bubblewrap import WORKSPACE, Sandbox
from runners.sandbox.process import CommandResult
from runners.verify.suites.checkouts import Checkouts
from runners.verify.suites.collector import Collector, Pipe
from runners.verify.suites.foreign import (
    PRESETS,
    PYTHON,
    REPORT,
    Results,
    TestSuite,
    Unreadable,
    read_results,
)
from runners.verify.suites.records import Tried, behave_outcome, tried_of
from runners.verify.suites.run import (
    Judged,
    SuiteRun,
    judged,
    suite_run,
    tail,
    test_run,
    unique,
)
from runners.verify.verdict import Failure, Outcome

_INSIDE = Path(__file__).parents[1] / "inside"
_PLUGINS = "/opt/scenarist"
_REPORTS = "/reports"
_SWITCH = "/switch"
_MAX_REPORT = 50_000_000
_MAX_FILES = 1000
_TIMES, _MINUTE_S, _AT_LEAST_TIMES = 4, 60.0, 1.5
# Each run has its own `/tmp`, so pytest's cache does not carry results to the next run.
_PYTEST_CACHE = "/tmp/pytest-cache"  # noqa: S108 - inside the sandbox

# The fields of a record of each harness, with their types.
_SCENARIO: Mapping[str, tuple[type, ...]] = {
    **dict.fromkeys(("path", "name", "status", "step", "step_status", "message"), (str,)),
    **dict.fromkeys(("line", "steps"), (int,)),
}
_TEST: Mapping[str, tuple[type, ...]] = {
    **dict.fromkeys(("test", "outcome", "path", "message"), (str,)),
    "line": (int, type(None)),
}


class Suites:
    """The suites of a repository. Each run has a sandbox of its own.

    `make_sandbox(root, read_only, writable)` makes it; it mounts the checkout `root` and the two mappings
    (path inside -> path on the host). `features` is the folder of the feature files, relative to the
    repository. `behave` is the repository's own command for behave, ``python SCRIPT …``; empty: behave
    itself.
    """

    def __init__(
        self,
        make_sandbox: Callable[[Path, Mapping[str, Path], Mapping[str, Path]], Sandbox],
        *,
        features: str,
        tests: Sequence[str | TestSuite] = (),
        behave: str = "",
        cancel: threading.Event | None = None,
    ) -> None:
        self._tests = tests
        self._behave = shlex.split(behave)
        self._make_sandbox = make_sandbox
        self._cancel = cancel
        self._base_s: float | None = None
        self._most_s: float | None = None
        self._checkouts: Checkouts | None = None
        self.features = features

    def on(self, checkouts: Checkouts) -> "Suites":
        """Return the same suites, for which `checkouts` restores the files before each run."""
        fresh = copy.copy(self)
        fresh._checkouts = checkouts
        return fresh

    def within(self, seconds: float) -> "Suites":
        """Return the same suites with a time limit of at most `seconds` for each run."""
        bounded = copy.copy(self)
        bounded._most_s = seconds
        return bounded

    def as_on_base(self, seconds: float) -> "Suites":
        """Return the same suites with a time limit that follows from the `seconds` that the base took."""
        bounded = copy.copy(self)
        bounded._base_s = seconds
        return bounded

    @property
    def command_lines(self) -> tuple[str, ...]:
        """Return the command lines of the suites that the repository defines itself."""
        return tuple(each.command for each in self._tests if isinstance(each, TestSuite))

    def all(self) -> list[tuple[str, Callable[[Path], SuiteRun]]]:
        """Return the suites of the repository: the name, and a function that runs it on a checkout."""
        runs: dict[str, Callable[[Path], SuiteRun]] = {"behave": self.behave}
        for each in self._tests or ("pytest",):
            if each == "pytest":
                runs["pytest"] = self.pytest
            elif each != "behave":
                suite = PRESETS[each] if isinstance(each, str) else each
                runs[suite.name] = partial(self.foreign, suite)
        return list(runs.items())

    def files(self, name: str, root: Path) -> list[str]:
        """Return a few files below `root` that look like tests of the suite `name`; paths are relative."""
        patterns = {"behave": "**/*.feature", "pytest": "**/test_*.py", "unittest": "**/test_*.py"}
        if name not in patterns:
            return []
        found = file_paths(root, self.features if name == "behave" else ".")
        shown = (path for path in found if matches(path, patterns[name]) and not _is_hidden(path))
        return sorted(itertools.islice(shown, _MAX_FILES))

    def foreign(self, suite: TestSuite, root: Path) -> SuiteRun:
        """Run a suite that is neither behave nor pytest, and read its report."""
        if suite.format == "unittest":
            return self._unittest(suite, root)
        with tempfile.TemporaryDirectory(prefix="scenarist-report-") as tmp:
            sandbox = self._sandbox(root, {_PLUGINS: _INSIDE}, {_REPORTS: Path(tmp)})
            line = suite.command.replace(REPORT, sandbox.path(f"{_REPORTS}/report"))
            result = self._run_in(sandbox, ["bash", "-c", line], output_bytes=_MAX_REPORT)
            report = _bytes_of(Path(tmp) / "report")
        results, unread = Results(), ""
        try:
            results = read_results(suite, result.output, report, result.exit_code)
        except Unreadable as error:
            unread = f"{suite.name}: {error}: {tail(result.output)}"
        found = judged(suite.name, result, results.problem, results.outcomes, results.failures)
        if unread and not result.timed_out:
            found = Judged("unusable", unread)
        return suite_run(
            [suite.command], result, dict(results.outcomes), list(results.failures), {}, found
        ).beside(replaced=self._rewritten(root))

    def _unittest(self, suite: TestSuite, root: Path) -> SuiteRun:
        def line(report: str, plugins: str) -> list[str]:
            harness = f"python {plugins}/scenarist_unittest.py {report}"
            return ["bash", "-c", suite.command.replace(PYTHON, harness)]

        result, entries, problem, other = self._run(root, line, _TEST)
        command = [suite.command.replace(PYTHON, "python")]
        return test_run(suite.name, command, result, entries, problem).beside(replaced=tuple(other))

    def behave(self, root: Path, paths: Sequence[str] = (), *, backwards: bool = False) -> SuiteRun:
        """Run the given feature files, or all below the features folder.

        If the folder does not exist, the run is empty. With `backwards` the last scenario of each file runs
        first.
        """
        targets = [*paths] or [self.features]
        started = self._behave or ["python", "-m", "behave"]
        command = [*started, "--no-color", "--no-source", *targets]
        if not paths and not any(path.endswith(".feature") for path in file_paths(root, self.features)):
            return SuiteRun(command=shlex.join(command))
        result, entries, problem, other = self._run(
            root,
            lambda report, plugins: [
                *("python", f"{plugins}/scenarist_behave.py", report),
                "reversed" if backwards else "as-written",
                *(("--through", str(len(started) - 1), *started[1:]) if self._behave else ()),
                *(*command[len(started) :], "-f", "plain"),
            ],
            _SCENARIO,
        )
        outcomes: dict[str, Outcome] = {}
        numbers: dict[str, int] = {}
        failures: list[Failure] = []
        lines: dict[str, int] = {}
        texts: dict[str, tuple[str, ...]] = {}
        for entry in entries:
            name = unique(f"{entry['path']}::{entry['name']}", outcomes, numbers)
            outcome = behave_outcome(entry)
            outcomes[name] = outcome
            lines[name] = entry["line"]
            texts[name] = tuple(map(str, entry.get("texts") or ()))
            if outcome not in ("passed", "skipped"):
                message = "\n".join(part for part in (entry["step"], entry["message"]) if part)
                failures.append(Failure(test=name, message=message, path=entry["path"], line=entry["line"]))
        if len({(e["path"], e["line"], e["name"]) for e in entries}) < len(entries):
            problem = problem or "a scenario was reported twice"
        found = judged("behave", result, problem, outcomes, failures)
        if not found.broken and not outcomes:
            found = Judged("unusable", f"behave ran no scenario: {tail(result.output)}")
        shown = [*command, "(last scenario first)"] if backwards else command
        run = suite_run(shown, result, outcomes, failures, lines, found)
        return run.beside(replaced=tuple(other), texts=texts)

    def path_in(self, root: Path, path: str) -> str:
        """Return where code that runs in the checkout `root` finds the file `path` of it."""
        return self._make_sandbox(root, {}, {}).path(f"{WORKSPACE}/{path}")

    def switch_path(self, folder: Path) -> str:
        """Return the path of the experiments' switch for instrumented code; on the host it is in `folder`."""
        return self._make_sandbox(folder, {}, {_SWITCH: folder}).path(f"{_SWITCH}/state")

    def trials(
        self, root: Path, feature: str, wanted: bytes, switch: Path
    ) -> tuple[SuiteRun, dict[str, Tried]]:
        """Run variants of scenarios on a checkout in one process; returns the run and the variants' outcomes.

        The outcomes are named by the variants' ids. `feature` is the path of the feature file that the
        variants replace, `wanted` is the input of the harness `scenarist_trials.py`, and `switch` is the
        folder of the switch. If the run does not end in time, its outcomes until then are returned; if it
        cannot be trusted, none are.
        """
        result, entries, problem, _ = self._run(
            root,
            lambda report, plugins: [
                *("python", f"{plugins}/scenarist_trials.py", report, f"{report}-trials"),
                *(self.switch_path(switch), feature, "--no-color", "--no-source"),
            ],
            _SCENARIO,
            wanted=wanted,
            writable={_SWITCH: switch},
        )
        found = Judged()
        if result.timed_out:
            found = Judged("timed-out", "the variants did not all end in time")
        elif problem:
            found = Judged("untrusted", f"the results of the variants cannot be trusted: {problem}")
        command = ["python", "-m", "behave", feature, f"({len(entries)} variants)"]
        run = suite_run(command, result, {}, [], {}, found)
        return run, {} if found.fault == "untrusted" else {
            entry["name"]: tried_of(entry) for entry in entries
        }

    def pytest(self, root: Path, paths: Sequence[str] = ()) -> SuiteRun:
        """Run the given tests, or all that pytest collects. If it collects nothing, the run is empty."""
        command = ["python", "-m", "pytest", "-q", "-o", f"cache_dir={_PYTEST_CACHE}", *paths]
        result, entries, problem, other = self._run(
            root,
            lambda report, plugins: ["python", f"{plugins}/scenarist_pytest.py", report, *command[3:]],
            _TEST,
        )
        return test_run("pytest", command, result, entries, problem).beside(replaced=tuple(other))

    def other_results(
        self, root: Path, paths: Sequence[str], switch: Path, state: str
    ) -> tuple[SuiteRun, set[str], set[str]]:
        """Run tests of pytest on a checkout whose instrumented code gives other results back.

        `switch` is the folder of the switch, `state` what it says while a test is called. Returns the run,
        the tests during which a result was altered, and those during which one was that nobody uses.
        """
        command = ["python", "-m", "pytest", "-q", "-o", f"cache_dir={_PYTEST_CACHE}", *paths]
        result, entries, problem, _ = self._run(
            root,
            lambda report, plugins: [
                *("python", f"{plugins}/scenarist_pytest.py", report),
                *("--switch", self.switch_path(switch), state, *command[3:]),
            ],
            _TEST,
            writable={_SWITCH: switch},
        )
        run = test_run("pytest", [*command, f"(results: {state})"], result, entries, problem)
        altered, dropped = (
            {entry["test"] for entry in entries if entry.get(mark)} for mark in ("altered", "dropped")
        )
        return run, altered, dropped

    def command(self, root: Path, line: str) -> SuiteRun:
        """Run one of the repository's own commands with bash; the run's `broken` is set if it fails."""
        result = self._run_in(self._sandbox(root, {}, {}), ["bash", "-c", line])
        broken = None if result.exit_code == 0 else f"`{line}` failed: {tail(result.output)}"
        return suite_run([line], result, {}, [], {}, Judged("", broken))

    def installed(self, root: Path) -> frozenset[str]:
        """Return the names of the top-level modules that Python finds: Python's own and installed ones.

        Modules of the checkout `root` are not among them.
        """
        script = "import pkgutil; print(*(each.name for each in pkgutil.iter_modules()), sep='\\n')"
        result = self._run_in(self._make_sandbox(root, {}, {}), ["python", "-I", "-c", script])
        return frozenset(result.output.split()) if result.exit_code == 0 else frozenset()

    def _sandbox(self, root: Path, read_only: Mapping[str, Path], writable: Mapping[str, Path]) -> Sandbox:
        held = self._checkouts.begin(root) if self._checkouts is not None else {}
        return self._make_sandbox(root, {**read_only, **held}, writable)

    def _rewritten(self, root: Path) -> tuple[str, ...]:
        return self._checkouts.end(root) if self._checkouts is not None else ()

    def _run_in(
        self,
        sandbox: Sandbox,
        argv: Sequence[str],
        env: Mapping[str, str] | None = None,
        output_bytes: int | None = None,
    ) -> CommandResult:
        """Run a command to its end. Raises `Cancelled` if `cancel` was set meanwhile."""
        limits = sandbox.limits.of_suite()
        if self._base_s is not None:
            limits = limits.lasting(patience(self._base_s, limits.wall_s))
        if self._most_s is not None:
            limits = limits.lasting(max(0.1, min(limits.wall_s, self._most_s)))
        if output_bytes is not None:
            limits = limits.model_copy(update={"output_bytes": output_bytes})
        result = sandbox.run(argv, env=env, cancel=self._cancel, limits=limits)
        if result.cancelled:
            raise Cancelled
        return result

    def _run(
        self,
        root: Path,
        argv: Callable[[str, str], list[str]],
        shape: Mapping[str, tuple[type, ...]],
        *,
        wanted: bytes | None = None,
        writable: Mapping[str, Path] | None = None,
    ) -> tuple[CommandResult, Sequence[dict[str, Any]], str | None, Sequence[str]]:
        """Run the command `argv(report, plugins)`.

        Returns its result and, from its report, the records (each of the `shape`), what is wrong with the
        report, and the names of replaced functions.
        """
        with tempfile.TemporaryDirectory(prefix="scenarist-report-") as tmp:
            reports = Path(tmp) / "reports"
            reports.mkdir()
            with contextlib.ExitStack() as pipes:
                report = pipes.enter_context(Collector(reports / "report"))
                if wanted is not None:
                    pipes.enter_context(Pipe(reports / "report-trials", wanted))
                mounts = {_PLUGINS: _INSIDE, _REPORTS: reports}
                sandbox = self._sandbox(root, mounts, writable or {})
                command = argv(sandbox.path(f"{_REPORTS}/report"), sandbox.path(_PLUGINS))
                result = self._run_in(sandbox, command)
            problem = report.problem
            if not report.complete and result.exit_code == 0:
                problem = problem or "it ended without an error, but its report is incomplete"
            if not all(_has_shape(entry, shape) for entry in report.entries):
                return result, [], problem or "something else than the harness wrote into its report", ()
            return result, report.entries, problem, (*report.replaced, *self._rewritten(root))


def patience(base_s: float, most_s: float) -> float:
    """Return how many seconds a suite may take on the head that took `base_s` on the base.

    Four times as long and a minute, up to the limit `most_s` of suites, so that a change that hangs is found
    soon. One and a half times as long also beyond that limit, so that a suite which nearly reaches it on the
    base is not taken for one that hangs.
    """
    return max(min(_TIMES * base_s + _MINUTE_S, most_s), _AT_LEAST_TIMES * base_s)


def _is_hidden(path: str) -> bool:
    return any(part.startswith(".") for part in path.split("/"))


def _has_shape(entry: Mapping[str, object], shape: Mapping[str, tuple[type, ...]]) -> bool:
    return all(isinstance(entry.get(name, ...), kinds) for name, kinds in shape.items())


def _bytes_of(path: Path) -> bytes:
    """Return the bytes of a report; empty if code under test has replaced it with a link, pipe or folder."""
    try:
        with os.fdopen(
            os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC), "rb"
        ) as file:
            return file.read(_MAX_REPORT) if stat.S_ISREG(os.fstat(file.fileno()).st_mode) else b""
    except OSError:
        return b""
