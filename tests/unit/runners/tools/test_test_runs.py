from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from runners.sandbox.bubblewrap import Sandbox
from runners.tools import test_runs
from runners.tools.base import ToolContext
from runners.tools.test_runs import Project, Testing, added_lines
from runners.verify.suites.suites import Suites
from tests.support.growth import assert_linear
from tests.support.tool_context import call, context

FEATURE = """Feature: Sums
  Scenario: right
    Then 1 and 1 are 2
  Scenario: wrong
    Then 1 and 1 are 3
"""
STEPS = """from behave import then
from calc import add

@then("{a:d} and {b:d} are {c:d}")
def step(context, a, b, c):
    assert add(a, b) == c, f"{add(a, b)} is not {c}"
"""
TESTS = """from calc import add

def test_right(): assert add(1, 1) == 2
def test_wrong(): assert add(1, 1) == 3
"""
CALC = """def add(a, b):
    if a < 0:
        return 0
    return a + b
"""


@pytest.fixture
def ctx(tmp_path: Path) -> ToolContext:
    made = context(tmp_path)
    for path, text in {
        "features/sums.feature": FEATURE,
        "features/steps/sums.py": STEPS,
        "test_calc.py": TESTS,
    }.items():
        (made.root / path).parent.mkdir(parents=True, exist_ok=True)
        (made.root / path).write_text(text)

    def sandbox(root: Path, read_only: Mapping[str, Path], writable: Mapping[str, Path]) -> Sandbox:
        return Sandbox(root, read_only=read_only, writable=writable, env={"PYTHONPATH": "/workspace"})

    testing = Testing(made.root, Suites(sandbox, features="features"))
    more = {
        "run_tests": testing.run,
        "resources": (testing, Project(("./check.sh", "true"), "features")),
    }
    (made.root / "calc.py").write_text(CALC)
    return ToolContext(**{**made.__dict__, **more})


def test_only_what_failed_is_run_again(ctx: ToolContext) -> None:
    assert "Nothing failed" in call(ctx, "rerun_failed").text
    first = call(ctx, "run_tests")
    assert (
        not first.ok
        and "behave: 1 passed, 1 failed" in first.text
        and "pytest: 1 passed, 1 failed" in first.text
    )
    assert first.data["pytest"]["failures"] == ["test_calc.py::test_wrong"]
    again = call(ctx, "rerun_failed")
    assert "behave: 0 passed, 1 failed" in again.text and "pytest: 0 passed, 1 failed" in again.text
    assert "2 is not 3" in again.text and "right" not in again.text
    (ctx.root / "test_calc.py").write_text(TESTS.replace("== 3", "== 2"))
    half = call(ctx, "rerun_failed")
    assert "behave: 0 passed, 1 failed" in half.text and "pytest: 1 passed, 0 failed" in half.text
    last = call(ctx, "rerun_failed")
    assert "pytest" not in last.text


@pytest.mark.parametrize(
    ("files", "names"),
    [
        ({}, ["command 1", "command 2", "behave", "pytest"]),
        ({"package.json": '{"scripts": {"test": "jest"}}'}, ["npm"]),
        ({"package.json": '{"scripts": []}'}, []),
        ({"package.json": "[", "go.mod": "", "Cargo.toml": "", "tox.ini": ""}, ["go", "cargo", "tox"]),
        ({"Makefile": "all:\n\ttrue\n"}, []),
        ({"Makefile": "test: all\n\ttrue\n"}, ["make"]),
    ],
)
def test_detecting(ctx: ToolContext, files: dict[str, str], names: list[str]) -> None:
    for path, text in files.items():
        (ctx.root / path).write_text(text)
    found = call(ctx, "detect_tests").data["runners"]
    assert found == [*["command 1", "command 2", "behave", "pytest"], *names][: len(found)] and set(
        names
    ) <= set(found)


JUNIT = (
    '<testsuite><testcase classname="a" name="one"/><testcase name="two"><failure message="bad">at '
    "x:3</failure>"
    '</testcase><testcase name="three"><skipped/></testcase></testsuite>'
)


def check(ctx: ToolContext, script: str) -> None:
    (ctx.root / "check.sh").write_text(f"#!/bin/sh\n{script}\n")
    (ctx.root / "check.sh").chmod(0o755)


@pytest.mark.parametrize(
    ("script", "ok", "says"),
    [
        ("echo fine", True, ["exit code 0", "fine"]),
        (
            f"echo '{JUNIT}' >report.xml; exit 1",
            False,
            ["1 passed, 1 failed (exit code 1)", "FAILED two\nbad\nat x:3"],
        ),
        ("seq 5000; echo '--- FAIL: TestX'; echo why; exit 2", False, ["exit code 2\n--- FAIL: TestX\nwhy"]),
        ("echo '<a' >report.xml; echo odd; exit 1", False, ["exit code 1", "odd"]),
    ],
)
def test_other_runners(ctx: ToolContext, script: str, ok: bool, says: list[str]) -> None:
    check(ctx, script)
    result = call(ctx, "run_check", name="command 1")
    assert result.ok is ok and all(each in result.text for each in says), result.text
    assert len(result.text) < 5000


def test_an_old_report_does_not_count(ctx: ToolContext) -> None:
    (ctx.root / "report.xml").write_text(JUNIT)
    check(ctx, "exit 0")
    assert call(ctx, "run_check", name="command 1").text == "command 1: exit code 0"


def test_a_report_that_is_a_bomb_is_harmless(ctx: ToolContext) -> None:
    levels = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 12))
    bomb = f'<!DOCTYPE x [<!ENTITY e0 "lol">{levels}]><testsuite><testcase name="&e11;"/></testsuite>'
    check(ctx, f"cat >report.xml <<'X'\n{bomb}\nX\nexit 1")
    assert "exit code 1" in call(ctx, "run_check", name="command 1").text


def test_a_check_that_is_not_there(ctx: ToolContext) -> None:
    assert "The checks are: command 1, command 2" in call(ctx, "run_check", name="npm").text
    assert "Use run_tests" in call(ctx, "run_check", name="pytest").text


def test_the_coverage_of_what_was_added(ctx: ToolContext) -> None:
    result = call(ctx, "coverage_of_diff")
    assert result.ok, result.text
    assert "calc.py: never run: 3" in result.text and "test_calc.py" not in result.text
    (ctx.root / "calc.py").write_text(CALC.replace("a < 0", "a < 9"))
    assert "calc.py: never run: 4" in call(ctx, "coverage_of_diff").text


def added(parse: Callable[[str], dict[str, set[int]]]) -> dict[str, set[int]]:
    return parse(
        "diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1,2 +1,3 @@ def\n a\n+b\n-c\n+d\n@@ -9,0 +11 @@\n+e\n"
        "--- /dev/null\n+++ b/y\n@@ -0,0 +1 @@\n+z\n"
    )


def test_added_lines() -> None:
    assert added(added_lines) == {"x": {2, 3, 11}, "y": {1}}


def test_what_fails_without_the_change_is_told_apart(ctx: ToolContext) -> None:
    testing = ctx.resource(Testing)
    before = testing.run("test_calc.py")
    assert not before.ok
    known = Testing(ctx.root, testing._suites, {"pytest": testing._suites.pytest(ctx.root)})
    same = known.run("test_calc.py")
    assert same.ok and same.data["pytest"]["failed_before"] == 1 and same.data["pytest"]["failures"] == []
    assert "1 of these fail without your change too: test_calc.py::test_wrong." in same.text
    assert "Nothing failed" in known.rerun().text
    (ctx.root / "test_calc.py").write_text(TESTS.replace("== 2", "== 4"))
    worse = known.run("test_calc.py")
    assert not worse.ok and worse.data["pytest"]["failures"] == ["test_calc.py::test_right"]
    assert (
        "FAILED test_calc.py::test_right" in worse.text
        and "FAILED test_calc.py::test_wrong" not in worse.text
    )


def test_a_suite_that_never_could_be_run_makes_nothing_worse(ctx: ToolContext) -> None:
    testing = ctx.resource(Testing)
    (ctx.root / "pytest.ini").write_text("[pytest]\naddopts = --no-such-option\n")
    assert not testing.run("test_calc.py").ok
    known = Testing(ctx.root, testing._suites, {"pytest": testing._suites.pytest(ctx.root)})
    found = known.run("test_calc.py")
    assert found.ok and "could not be run without your change either" in found.text


def test_output_without_failures_takes_linear_time() -> None:
    for part in ("\n", " ", "thread '", "FAILED\n", "x\n\t"):
        assert_linear(lambda size, part=part: (part * size)[:size], test_runs._excerpt)


def test_folders_are_run_with_all_that_is_in_them(ctx: ToolContext) -> None:
    (ctx.root / "tests").mkdir()
    (ctx.root / "tests" / "test_more.py").write_text("def test_more():\n    assert True\n")
    testing = ctx.resource(Testing)
    assert set(testing.run("features").data) == {"behave"}
    assert set(testing.run("tests/").data) == {"pytest"}
    both = testing.run("/workspace")
    assert set(both.data) == {"behave", "pytest"}
    assert both.data["behave"] == testing.run("features").data["behave"]
