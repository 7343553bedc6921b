"""Run many variants of scenarios with behave in one process, and report one JSON line for each variant.

It runs inside the sandbox, beside the repository's code, and imports nothing of Scenarist.

    python /opt/scenarist/scenarist_trials.py REPORT TRIALS SWITCH FEATURE ARGUMENTS…

TRIALS is a pipe that is read once, before any code of the repository is loaded. It holds a JSON list of
objects with `id`, `text` (a feature file of one scenario), `switch`, `seconds`, and in some a `step`: either
its `argument` gets another value, or only this step is run with the `switch`. SWITCH is the path of a
symbolic link whose target tells instrumented code what to do. FEATURE is the file in whose place the variants
run.
"""

import scenarist_path  # noqa: I001 - before all others

import contextlib
import json
import os
import signal
import sys
from typing import Any

scenarist_path.load(
    *("behave", "behave.__main__", "behave.runner", "behave.formatter.base"), later=scenarist_path.BEHAVE
)

import behave.runner  # noqa: E402
import scenarist_behave as reports  # noqa: E402
import scenarist_compares  # noqa: E402
import scenarist_context  # noqa: E402
import scenarist_files  # noqa: E402
import scenarist_processes  # noqa: E402
import scenarist_replay  # noqa: E402
import scenarist_steps  # noqa: E402
from behave.formatter.base import Formatter  # noqa: E402
from behave.parser import parse_feature  # noqa: E402
from behave.step_registry import registry  # noqa: E402

# So many names of attributes, and so many characters of calls, are told of a variant.
_MOST_NAMES, _MOST_CALLS = 50, 30_000

_trials: "list[dict[str, Any]]" = []
# The calls of the code under test in the scenarios as they are.
_calls: "list[Any]" = []
_switch = ""
_feature = ""


class TookTooLong(Exception):
    """A variant took longer than its limit; behave continues with the next one."""


class TrialFormatter(Formatter):  # type: ignore[misc]
    name = "scenarist"
    description = "one JSON line a variant"

    def __init__(self, stream_opener: Any, config: Any) -> None:
        super().__init__(stream_opener, config)
        self.current: Any = None
        reports.run_every_scenario(config)

    def feature(self, feature: Any) -> None:
        self.current = feature

    def eof(self) -> None:
        for scenario in self.current.walk_scenarios():
            record = reports.describe(scenario)
            bad = next((s for s in scenario.all_steps if s.status.name in ("failed", "error")), None)
            record["name"] = self.current.trial
            record["kind"] = bad.step_type if bad else ""
            record["denied"] = isinstance(getattr(bad, "exception", None), AssertionError)
            record["marks"] = marks()
            record["calls"] = calls()
            _calls.extend(record["calls"] if self.current.own_values else ())
            record["counted"] = getattr(self.current, "counted", {})
            record["unawaited"] = getattr(self.current, "unawaited", [])
            record["ranges"] = getattr(self.current, "ranges", [])
            record["created"] = getattr(self.current, "created", [])
            record["missing"] = sorted(getattr(self.current, "missing", ()))[:_MOST_NAMES]
            record["asked"] = sorted(getattr(self.current, "asked", ()))[:_MOST_NAMES]
            record["names"] = sorted(getattr(self.current, "names", ()))[:_MOST_NAMES]
            reports.write(record)


def variants(_locations: Any, language: Any = None) -> "list[Any]":
    """Return the features of all possible trials; behave runs them instead of the checkout's features."""
    found = []
    for trial in _trials:
        feature = parse_feature(trial["text"], language, _feature)
        scenario = next(iter(feature.walk_scenarios()))
        feature.trial = trial["id"]
        feature.own_values = trial["id"].startswith("a")
        step = scenario.steps[trial["step"]] if trial.get("step") is not None else None
        if trial.get("argument") is not None and not changed(step, trial["argument"]):
            continue
        if trial.get("value") and not with_constant(step, trial["value"], trial["constant"]):
            continue
        bound(feature, trial, step)
        found.append(feature)
    return found


def bound(feature: Any, trial: "dict[str, Any]", step: Any) -> None:
    """Make the feature set the switch and a timer while it runs.

    If the trial is about one `step`, the switch is set, or the context changed, only while this step runs.
    """
    alone = step is not None and trial.get("argument") is None and not trial.get("value")
    run = feature.run
    feature.names = set()
    for each in next(iter(feature.walk_scenarios())).steps:
        each.run = naming(feature, each.run)
    if not step and not trial["switch"]:
        feature.unawaited, feature.ranges, feature.created = [], [], []
        for number, each in enumerate(next(iter(feature.walk_scenarios())).steps):
            if each.step_type == "then":
                each.run = awaiting(feature, each.run)
                if scenarist_compares.by_order(definition_of(each)):
                    feature.ranges.append(number)

    def timed(runner: Any) -> Any:
        marks()
        for path in trial.get("without") or ():
            with contextlib.suppress(OSError):
                os.unlink(path)
        signal.setitimer(signal.ITIMER_REAL, trial["seconds"])
        turn("" if alone else trial["switch"])
        try:
            return run(runner)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            turn("")

    feature.run = timed
    if alone:
        step_run = step.run

        def switched(runner: Any, *args: Any, **more: Any) -> Any:
            turn(trial["switch"])
            scenarist_steps.begin()
            try:
                if trial.get("context") in (scenarist_processes.FAILS, scenarist_processes.PASSES):
                    with scenarist_processes.outcomes(trial["context"]) as ran:
                        done = step_run(runner, *args, **more)
                    mark("ran" if ran else "")
                    return done
                if trial.get("context"):
                    change = change_of(trial["context"], step)
                    return watched(feature, change, step_run, runner, *args, **more)
                return step_run(runner, *args, **more)
            finally:
                turn("")
                feature.counted = scenarist_steps.counted()

        step.run = switched


def naming(feature: Any, run: Any) -> Any:
    """Return the function `run` of a step, which notes the names that are on the context afterwards."""

    def noted(runner: Any, *args: Any, **more: Any) -> Any:
        try:
            return run(runner, *args, **more)
        finally:
            feature.names |= scenarist_context.names(runner.context)

    return noted


def awaiting(feature: Any, run: Any) -> Any:
    """Return the function `run` of a step, changed so that it records coroutines that are never awaited,
    and new files.
    """

    def noted(*args: Any, **more: Any) -> Any:
        with scenarist_steps.unawaited() as names, scenarist_files.created() as paths:
            done = run(*args, **more)
        feature.unawaited += names
        feature.created += paths
        return done

    return noted


def definition_of(step: Any) -> Any:
    """Return the function that defines a step; None if there is none."""
    with contextlib.suppress(Exception):  # matchers run code of the repository, which may raise any error
        return getattr(registry.find_match(step), "func", None)
    return None


def change_of(how: str, step: Any) -> Any:
    """Return how the context is changed for a step."""
    return scenarist_context.change_of(how, step.name, definition_of(step))


def watched(feature: Any, change: Any, run: Any, runner: Any, *args: Any, **more: Any) -> Any:
    """Run a step with other values on the context; note whether it used anything but its own files, and what
    it looked for that is not there."""
    folder = os.path.dirname(_feature)
    watch = scenarist_context.Watch((folder + os.sep, "tests" + os.sep))
    with scenarist_context.other_values(runner.context, change) as (missing, asked):
        sys.setprofile(watch)
        try:
            return run(runner, *args, **more)
        finally:
            sys.setprofile(None)
            mark("used" if watch.used else "")
            feature.missing, feature.asked = set(missing), asked


def changed(step: Any, number: int) -> bool:
    """Change the value of the argument `number` of a step; returns False if its definition has none."""
    with contextlib.suppress(Exception):  # matchers run code of the repository, which may raise any error
        match = registry.find_match(step)
        arguments = [each for each in match.arguments if each.start is not None and each.end > each.start]
        each = arguments[number]
        words = step.name[each.start : each.end]
        step.name = step.name[: each.start] + other(words) + step.name[each.end :]
        return True
    return False


def with_constant(step: Any, value: str, number: int) -> bool:
    """Put the word `number` of those in the definition's code in the place of `value` in the step's text."""
    with contextlib.suppress(Exception):  # matchers run code of the repository, which may raise any error
        function = registry.find_match(step).func
        words = [each for each in scenarist_steps.candidates("", function) if type(each) is str]
        step.name = step.name.replace(value, [each for each in words if each != value][number], 1)
        return True
    return False


def other(words: str) -> str:
    """Return a value that differs from `words`."""
    return str(int(words) + 1) if words.lstrip("-").isdecimal() else f"{words}x"


def turn(state: str) -> None:
    """Set the switch that tells instrumented code, in this process and others, what to do from now on."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(_switch)
    if state:
        os.symlink(state, _switch)


def mark(name: str) -> None:
    """Make a marker file beside the switch, unless `name` is empty."""
    if name:
        with contextlib.suppress(OSError):
            os.symlink("-", f"{_switch}-{name}")


def marks() -> "list[str]":
    """Remove the marker files beside the switch, and return their names."""
    found = []
    for name in ("altered", "kept", "dropped", "used", "ran"):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(f"{_switch}-{name}")
            found.append(name)
    return found


def calls() -> "list[Any]":
    """Remove the file of calls beside the switch, and return what stands in it."""
    path, found = f"{_switch}-calls", []
    with contextlib.suppress(OSError, ValueError), open(path, encoding="utf-8") as file:
        for line in file.read(_MOST_CALLS).splitlines():
            found.append(json.loads(line))
    with contextlib.suppress(OSError):
        os.unlink(path)
    return found


def globals_of(file: str) -> "dict[str, Any]":
    """Return the global names of a step file."""
    for steps in registry.steps.values():
        for each in steps:
            code = getattr(each.func, "__code__", None)
            if code is not None and code.co_filename == file:
                return dict(each.func.__globals__)
    return {"__name__": "steps"}


def stop(_signal: int, _frame: Any) -> None:
    raise TookTooLong


def main() -> int:
    global _switch, _feature
    # behave imports the formatter by name and must get this module, not a second copy of it.
    sys.modules["scenarist_trials"] = sys.modules["__main__"]
    reports._report = scenarist_path.open_report(sys.argv[1])
    with open(sys.argv[2], encoding="utf-8") as pipe:
        _trials.extend(json.load(pipe))
    _switch, _feature = sys.argv[3], os.path.relpath(sys.argv[4])
    sys.argv[1:] = sys.argv[4:]
    signal.signal(signal.SIGALRM, stop)
    behave.runner.parse_features = variants
    from behave.__main__ import main as run

    look, compare = reports.parts, reports.replaced
    before = look("behave", "scenarist_behave")
    code = run(["-f", "scenarist_trials:TrialFormatter", "-o", "/dev/null", *sys.argv[1:]])
    if _calls:
        known = scenarist_replay.knowing(_calls, os.path.dirname(_feature), globals_of)
        reports.write({**reports.NOTHING, "name": "knowing", "knowing": known})
    reports.write({"end": reports._written, "replaced": compare(before, look("behave", "scenarist_behave"))})
    return int(code or 0)


if __name__ == "__main__":
    sys.exit(main())
