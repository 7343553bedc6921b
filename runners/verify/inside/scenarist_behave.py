"""Run behave and report one JSON line for each scenario.

It runs inside the sandbox, beside the repository's code, and imports nothing of Scenarist.

    python /opt/scenarist/scenarist_behave.py REPORT as-written|reversed [--through COUNT SCRIPT…] ARGUMENTS…

With `--through` it runs a script that runs behave itself, such as Django's manage.py: COUNT words, the script
first.

With `reversed` the last scenario of each feature runs first, so that a scenario which needs an earlier one
fails. The repository's own configuration is used, except for `stop` and `dry_run`: every scenario runs. The
report is opened, and its first line written, before any code of the repository is loaded. behave's own JSON
formatter is not used, because it confuses statuses when a Rule inherits a Background.
"""

from __future__ import annotations

import ast
import contextlib
import json
import linecache
import os
import reprlib
import runpy
import sys
from typing import Any

import scenarist_path
from scenarist_watch import parts, replaced

scenarist_path.load(
    *("behave", "behave.__main__", "behave.runner", "behave.formatter.base"), later=scenarist_path.BEHAVE
)

import behave.model as behave_model  # noqa: E402
from behave.formatter.base import Formatter  # noqa: E402

# behave replaces these functions itself when it ends.
_REMADE = tuple(
    f"behave.step_registry.{name}"
    for word in ("given", "when", "then", "step")
    for name in (word, word.title())
)
_PLAIN = (str, bytes, int, float, bool, type(None), list, tuple, dict, set)
_report: Any = None
_reversed = False
_written = 0
# behave's hooks by name when the first feature started, and the names of hooks that were changed later.
_hooks: dict[str, Any] | None = None
_changed_hooks: set[str] = set()


class ReportFormatter(Formatter):  # type: ignore[misc]
    name = "scenarist"
    description = "one JSON line a scenario"

    def __init__(self, stream_opener: Any, config: Any) -> None:
        super().__init__(stream_opener, config)
        self.current: Any = None
        run_every_scenario(config)

    def feature(self, feature: Any) -> None:
        self.current = feature
        watch_hooks(sys._getframe(1).f_locals)
        if _reversed:
            turn_round(feature)

    def result(self, step: Any) -> None:
        # Done here, while the traceback's frames still hold the step's values.
        step.innermost = innermost(step.exc_traceback) if step.status.name in ("failed", "error") else ""

    def eof(self) -> None:
        watch_hooks(sys._getframe(1).f_locals)
        for scenario in sorted(self.current.walk_scenarios(), key=lambda each: each.line):
            write(describe(scenario))


def run_every_scenario(config: Any) -> None:
    """Switch off the settings with which behave runs no scenario, or none after a failure.

    behave reads them before each scenario, after it has made its formatters.
    """
    config.stop = config.dry_run = False


def watch_hooks(caller: dict[str, Any]) -> None:
    """Record which of behave's hooks code under test has changed while features ran.

    environment.py is loaded before the first call. `caller` are the local names of behave's function that
    runs a feature.
    """
    global _hooks
    hooks = getattr(caller.get("runner", caller.get("self")), "hooks", None)
    if isinstance(hooks, dict):
        if _hooks is None:
            _hooks = dict(hooks)
        _changed_hooks.update(
            f"behave's hook {name}" for name, hook in hooks.items() if _hooks.get(name) is not hook
        )


def turn_round(entity: Any) -> None:
    """Reverse the scenarios of a feature, and those of its rules and outlines.

    behave calls its formatters before it runs the first scenario of a feature.
    """
    items = getattr(entity, "run_items", None)
    if items is None:
        items = entity.scenarios if entity.type == "scenario_outline" else []
    items.reverse()
    for item in items:
        turn_round(item)


def write(record: dict[str, Any]) -> None:
    global _written
    _report.write(json.dumps(record) + "\n")
    _report.flush()
    _written += "name" in record


# A record that is about no scenario.
NOTHING: dict[str, Any] = {
    **dict.fromkeys(("path", "name", "step", "step_status", "message"), ""),
    **{"status": "passed", "line": 0, "steps": 1},
}


def describe(scenario: Any) -> dict[str, Any]:
    steps = list(scenario.all_steps)
    bad = next((s for s in steps if s.status.name not in ("passed", "untested", "skipped")), None)
    return {
        "path": str(scenario.filename),
        "line": scenario.line,
        "name": scenario.name,
        "status": scenario.status.name,
        "steps": len(steps),
        "step": f"{bad.keyword} {bad.name}" if bad else "",
        "step_status": bad.status.name if bad else "",
        "message": message_of(bad or scenario),
        "texts": [text_of(step) for step in steps],
    }


def text_of(step: Any) -> str:
    """Return a step as it is written in the feature, with its text and table.

    The verifier compares this with the steps of the approved feature.
    """
    table = step.table
    rows = [list(table.headings), *(list(row.cells) for row in table.rows)] if table else []
    return "\n".join(
        [f"{step.keyword} {step.name}", *([str(step.text)] if step.text else []), *map(str, rows)]
    )


def message_of(thing: Any) -> str:
    said = str(getattr(thing, "error_message", None) or getattr(thing, "exception", None) or "")[-4000:]
    return "\n".join(part for part in (said, getattr(thing, "innermost", "")) if part)


def innermost(trace: Any) -> str:
    """Return the last line of the repository's own code in `trace`, with the values of the names in it."""
    found = None
    while trace is not None:
        path = os.path.relpath(trace.tb_frame.f_code.co_filename)
        if not path.startswith("..") and "site-packages" not in path:
            found = path, trace.tb_lineno, trace.tb_frame
        trace = trace.tb_next
    if found is None:
        return ""
    path, number, frame = found
    line = linecache.getline(path, number).strip()
    return "\n".join([f"at {path}:{number}: {line}", *values(line, frame)])


def values(line: str, frame: Any) -> list[str]:
    """Return the values of the names and attributes in a line, without calling functions."""
    try:
        tree = ast.parse(line)
    except SyntaxError:  # the beginning of a longer statement
        return []
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    shown: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, (ast.Name, ast.Attribute)) and id(node) not in called:
            with contextlib.suppress(Exception):  # a property of the repository may raise any error
                expression = compile(ast.Expression(node), "line", "eval")
                held = eval(expression, frame.f_globals, frame.f_locals)  # noqa: S307 - the code that just ran
                if type(held) in _PLAIN:
                    shown[ast.unparse(node)] = reprlib.repr(held)
    return [f"  {name} = {value}" for name, value in list(shown.items())[:8]]


def through(words: list[str], arguments: list[str]) -> int:
    """Run a script with more arguments, as ``python SCRIPT …`` would; returns its exit code."""
    sys.argv = [*words, *arguments]
    sys.path.insert(0, os.path.dirname(os.path.abspath(words[0])))
    try:
        runpy.run_path(words[0], run_name="__main__")
    except SystemExit as end:
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0


def has_rules(arguments: list[str]) -> bool:
    """Return whether one of the feature files that behave was given begins a line with ``Rule:``."""
    for place in filter(os.path.exists, arguments):
        inside = [os.path.join(folder, name) for folder, _, names in os.walk(place) for name in names]
        for path in [place] if os.path.isfile(place) else inside:
            if path.endswith(".feature"):
                with open(path, encoding="utf-8", errors="replace") as file:
                    if any(line.lstrip().startswith("Rule:") for line in file):
                        return True
    return False


def main() -> int:
    global _report, _reversed
    # behave imports the formatter by name and must get this module, not a second copy of it.
    sys.modules["scenarist_behave"] = sys.modules["__main__"]
    _report = scenarist_path.open_report(sys.argv[1])
    _reversed = sys.argv[2] == "reversed"
    from behave.__main__ import main as behave

    # Held in local names, which code under test cannot replace through the module.
    look, compare = parts, replaced
    before = look("behave", "scenarist_behave", "builtins")
    ours, arguments = ["-f", "scenarist_behave:ReportFormatter", "-o", "/dev/null"], sys.argv[3:]
    if arguments[:1] == ["--through"]:
        count = int(arguments[1])
        code = through(arguments[2 : 2 + count], [*ours, *arguments[2 + count :]])
    else:
        code = behave([*ours, *arguments])
    if code and not hasattr(behave_model, "Rule") and has_rules(arguments):
        print("This behave does not know `Rule:`: use behave 1.3, or write the scenarios without rules.")
    others = compare(before, look("behave", "scenarist_behave", "builtins"), _REMADE)
    write({"end": _written, "replaced": [*others, *sorted(_changed_hooks)]})
    return int(code or 0)


if __name__ == "__main__":
    sys.exit(main())
