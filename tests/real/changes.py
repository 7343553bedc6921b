"""The two changes each project is tried with: a right one, which is proven, and one that breaks a test."""

import ast
import re
from pathlib import Path, PurePosixPath

from tests.real.projects import Project

FEATURE = "issue_1_probe.feature"
SCENARIO = """@issue-1
Feature: Probe

  Scenario: A number is doubled
    When I probe 4
    Then the probe says 8
"""
_STEPS = """from behave import then, when

from {module} import scenarist_probe


@when("I probe {{number:d}}")
def probe(context, number):
    context.probed = scenarist_probe(number)


@then("the probe says {{number:d}}")
def says(context, number):
    assert context.probed == number, context.probed
"""
_ADDED = '''

def scenarist_probe(number):
    """Twice the number."""
    return 2 * number
'''
_TEST = """
from {module} import scenarist_probe


def {named}():
    assert scenarist_probe(4) == 8
"""
_TEST_CASE = """
import unittest

from {module} import scenarist_probe


class TestScenaristProbe(unittest.TestCase):
    def test_doubles(self):
        assert scenarist_probe(4) == 8
"""


_STEPS_NODE = """import subprocess

from behave import then, when


@when("I probe {{number:d}}")
def probe(context, number):
    line = f"console.log(require('./{module}').scenaristProbe({{number}}))"
    context.probed = int(subprocess.check_output(["node", "-e", line], text=True))


@then("the probe says {{number:d}}")
def says(context, number):
    assert context.probed == number, context.probed
"""
_ADDED_NODE = """

function scenaristProbe(number) {
  return 2 * number;
}
module.exports.scenaristProbe = scenaristProbe;
"""
_TEST_NODE = """const {{ scenaristProbe }} = require("./{module}");

test("the probe doubles", () => {{
  expect(scenaristProbe(4)).toBe(8);
}});
"""


def right(project: Project, folder: Path) -> None:
    """Add a function, with a test of its own in the place where the project keeps its tests."""
    path = folder / project.module
    path.write_text(path.read_text() + (_ADDED_NODE if _is_node(project) else _ADDED))
    test = folder / project.test
    text = (
        _TEST_NODE.format(module=project.module)
        if _is_node(project)
        else (_TEST_CASE if project.unittest else _TEST).format(
            module=import_name(project), named=project.named
        )
    )
    test.write_text((test.read_text() if test.exists() else "") + text)


def steps(project: Project) -> str:
    """The step definitions of the scenario.

    They import what the change adds, as most people would write it.
    """
    if _is_node(project):
        return _STEPS_NODE.format(module=project.module)
    return _STEPS.format(module=import_name(project), named=project.named)


def _is_node(project: Project) -> bool:
    return project.module.endswith(".js")


def import_name(project: Project) -> str:
    """The name under which the changed module is imported."""
    parts = list(PurePosixPath(project.module).with_suffix("").parts)
    parts = parts[1:] if parts[0] == "src" else parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def wrong(project: Project, folder: Path) -> None:
    """Make the function that the list names raise."""
    name, _, function = project.breaks.partition("::")
    path = folder / name
    text = path.read_text()
    if _is_node(project):
        found = re.search(rf"(?:function {function}\b|\b{function} = )[^{{]*{{", text)
        if found is None:
            raise ValueError(f"{project.breaks} is not a function.")
        broken = 'throw new Error("broken on purpose");'
        path.write_text(f"{text[: found.end()]} {broken}{text[found.end() :]}")
        return
    node: ast.AST = ast.parse(text)
    for part in function.split("."):
        node = next(each for each in ast.walk(node) if getattr(each, "name", "") == part)
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        raise ValueError(f"{project.breaks} is not a function.")
    first = node.body[0]
    lines = text.splitlines(keepends=True)
    indent = lines[first.lineno - 1][: first.col_offset]  # of tabs, in some projects
    lines.insert(first.lineno - 1, f'{indent}raise RuntimeError("broken on purpose")\n')
    path.write_text("".join(lines))
