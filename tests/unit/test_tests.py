"""Rules for tests: they depend on neither the machine's speed nor each other.

Each rule is shown to find what it forbids.
"""

import ast
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# Where polling and deliberate slowness have their one place, and where skipping has.
WAITING, MACHINE = "tests/support/waiting.py", "tests/support/machine.py"
_CLOCKS = {"monotonic", "perf_counter", "time", "process_time", "monotonic_ns", "perf_counter_ns", "time_ns"}
_MINUTE = 60


def sources() -> list[Path]:
    return sorted(path for folder in ("tests", "bench", "scripts") for path in (ROOT / folder).rglob("*.py"))


def called(node: ast.AST) -> str:
    """The dotted name that a call calls, or nothing."""
    return ast.unparse(node.func) if isinstance(node, ast.Call) else ""


def sleeps(tree: ast.AST) -> Iterator[int]:
    """Waiting for the clock instead of the event; ``asyncio.sleep(0)`` only lets other tasks run."""
    for node in ast.walk(tree):
        if called(node) in ("time.sleep", "sleep", "asyncio.sleep") and not ast.unparse(node).endswith("(0)"):
            yield node.lineno


def reads_clock(node: ast.AST) -> bool:
    return any(
        name.startswith("time.") and name.removeprefix("time.") in _CLOCKS
        for each in ast.walk(node)
        if (name := called(each))
    )


def timed_assertions(tree: ast.AST) -> Iterator[int]:
    """Assertions on how long something took: a comparison with what was made from a clock."""
    for function in ast.walk(tree):
        if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        clocks = {
            name.id
            for node in ast.walk(function)
            if isinstance(node, ast.Assign) and reads_clock(node.value)
            for target in node.targets
            for name in ast.walk(target)
            if isinstance(name, ast.Name)
        }
        for node in ast.walk(function):
            if isinstance(node, ast.Assert) and any(
                isinstance(part, ast.Compare)
                and (
                    reads_clock(part)
                    or any(isinstance(name, ast.Name) and name.id in clocks for name in ast.walk(part))
                )
                for part in ast.walk(node.test)
            ):
                yield node.lineno


def alternatives(tree: ast.AST) -> Iterator[int]:
    """Assertions that a text says this or that, or that hold whatever happens: `x in text or y in text`."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Assert):
            continue
        parts = node.test.values if isinstance(node.test, ast.BoolOp) else []
        for part in (node.test, *parts):
            if not isinstance(part, ast.BoolOp) or not isinstance(part.op, ast.Or):
                continue
            texts = [
                ast.unparse(each.comparators[-1])
                for each in part.values
                if isinstance(each, ast.Compare) and isinstance(each.ops[-1], ast.In)
            ]
            always = any(isinstance(each, ast.Constant) and each.value for each in part.values)
            if always or len(set(texts)) < len(texts):
                yield node.lineno


def tight_bounds(tree: ast.AST) -> Iterator[int]:
    """Bounds below a minute: they end more than a hang."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        bounds = [word.value for word in node.keywords if word.arg == "timeout"]
        name = called(node)
        if name == "wait_until":
            bounds += node.args[2:3] + [word.value for word in node.keywords if word.arg == "seconds"]
        elif name.endswith((".wait", ".join", ".communicate")) and not name.startswith(("os.", "'", '"')):
            bounds += node.args[:1]
        if any(
            isinstance(bound, ast.Constant)
            and isinstance(bound.value, int | float)
            and not isinstance(bound.value, bool)
            and bound.value < _MINUTE
            for bound in bounds
        ):
            yield node.lineno


def skips(tree: ast.AST) -> Iterator[int]:
    """Skipping, outside of the one place that says why."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and ast.unparse(node) in (
            "pytest.skip",
            "pytest.importorskip",
            "pytest.xfail",
            "pytest.mark.skip",
            "pytest.mark.skipif",
            "pytest.mark.xfail",
        ):
            yield node.lineno


def imports_of_tests(tree: ast.AST) -> Iterator[int]:
    """Imports of a module that holds tests; what several of them share is in tests/support."""
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.ImportFrom):
            names = [node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        if any(
            name.startswith("tests.") and name.rpartition(".")[2].startswith(("test_", "conftest"))
            for name in names
        ):
            yield node.lineno


Rule = Callable[[ast.AST], Iterator[int]]
RULES: dict[Rule, tuple[str, tuple[str, ...]]] = {
    sleeps: ("import time\ntime.sleep(3)\n", (WAITING, "bench/")),
    timed_assertions: (
        "import time\ndef test():\n    began = time.monotonic()\n    assert time.monotonic() - began < 5\n",
        ("bench/",),
    ),
    alternatives: ("assert 'denied' in text or 'refused' in text\nassert done or True\n", ()),
    tight_bounds: ("done.wait(5)\n", ("bench/",)),
    skips: ("import pytest\npytest.skip('not today')\n", (MACHINE,)),
    imports_of_tests: ("from tests.unit.test_store import start\n", ()),
}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_rule_holds(rule: Rule) -> None:
    example, allowed = RULES[rule]
    assert list(rule(ast.parse(example))), "the rule finds its own example"
    found = [
        f"{name}:{line}"
        for path in sources()
        if not (name := str(path.relative_to(ROOT))).startswith(allowed)
        for line in rule(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert found == []


@pytest.mark.parametrize(
    ("rule", "fine"),
    [
        (
            timed_assertions,
            "import time\ndef test():\n    name = time.monotonic_ns()\n    assert made(name)\n",
        ),
        (
            tight_bounds,
            "done.wait(60)\nprocess.wait()\n', '.join(3)\nrun(timeout=None)\nwait_until(ready, 'x')\n",
        ),
        (alternatives, "assert 'x' in (text or '')\nassert not slow or 'y' in text\n"),
        (skips, "reason = 'pytest.skip'\n"),
        (sleeps, "await asyncio.sleep(0)\n"),
        (imports_of_tests, "from tests.support.harness import BotUnderTest\n"),
    ],
)
def test_the_rule_lets_pass(rule: Rule, fine: str) -> None:
    assert list(rule(ast.parse(fine))) == []
