"""Changes whose fault shows without a run, with the problem each must get."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tests.gate.recipes.table import (
    COMMANDS,
    DOUBLE,
    GO,
    JAVA,
    JEST,
    MAKEFILE,
    OUTCOME,
    PYPROJECT,
    RUBY,
    STEPS_FILE,
    TESTS,
    WITH_THEN,
    Recipe,
)
from tests.support.workbench import BASE, STEPS, WORK, Files, Link


def then(body: str, before: str = "") -> Files:
    """Work whose Then step has this body, and whose code is wrong."""
    step = f'{before}\n\n@then("the double is {{n:d}}")\ndef is_double(context, n):\n    {body}\n'
    return {"calc.py": BASE["calc.py"] + "\n\ndef double(n):\n    return 0\n", STEPS_FILE: WITH_THEN + step}


def _step(body: str, before: str = "") -> Recipe:
    return Recipe(then(body, before), ("step-asserts-nothing",), spec=OUTCOME)


# What another guard still finds when the first one is off: most leave tests out, or end them.
_SECOND: Mapping[str, tuple[str, ...]] = {
    "regression": (
        "a test that is skipped",
        "a module that is skipped",
        "a row that is skipped",
        "a test that cannot be read",
        "a test file that is deleted",
        "a feature that is deleted",
        "a test that moved and lost an assertion",
        "a conftest.py that leaves tests out",
        "a conftest.py with a hook in a new folder",
        "pytest.ini",
        "pytest.toml",
        ".pytest.toml",
        "options of pytest",
        "a traceback that names the configuration",
        "a test that becomes a link",
    ),
    "untrusted": ("a plugin in a new test",),
    "no-scenario": (
        "the program, among the steps",
        "a package in the place of a module",
    ),
}


def _beside(code: str, files: Mapping[str, str | Link | None], **more: Any) -> Recipe:
    return Recipe({**WORK, **files}, (code,), **more)


def _weaker(old: str, new: str) -> Recipe:
    assert old in TESTS
    return _beside("test-weakened", {"test_calc.py": TESTS.replace(old, new)})


def _reading(body: str) -> Recipe:
    steps = f'{WITH_THEN}\n\n@then("the double is {{n:d}}")\ndef is_double(context, n):\n    {body}\n'
    return Recipe({"calc.py": DOUBLE, STEPS_FILE: steps}, ("step-reads-source",), spec=OUTCOME)


# What shows without a run.
RULES: dict[str, Recipe] = {
    # Then steps that cannot fail.
    "an assertion on a constant": _step("assert True"),
    "an assertion on two constants": _step("assert 1 == 1"),
    "an assertion on a text": _step('assert "it is " + str(n)'),
    "a comparison without an assertion": _step("context.result == n"),
    "a thing compared with itself": _step("assert n == n"),
    "an assertion that is swallowed": _step(
        "try:\n        assert context.result == n\n    except AssertionError:\n        pass"
    ),
    "an assertion that is never reached": _step("return\n    assert context.result == n"),
    "an assertion under a false condition": _step("if False:\n        assert context.result == n"),
    "a helper that asserts nothing": _step("check(context.result, n)", ("\n\ndef check(a, b):\n    return a " 
        "== b\n")),
    "a step of any kind that asserts nothing": Recipe(
        {
            "calc.py": DOUBLE,
            STEPS_FILE: STEPS.replace("import when", "import step, when")
            + '\n\n@step("the double is {n:d}")\ndef is_double(context, n):\n    pass\n',
        },
        ("step-asserts-nothing",),
        spec=OUTCOME,
    ),
    "a result that equals everything": _beside(
        "equals-everything",
        {
            "calc.py": BASE["calc.py"] + "\n\nclass Anything:\n    def __eq__(self, other):\n        "
                                         "return True\n\n\n"
            "def double(n):\n    return Anything()\n"
        },
    ),
    "a stand-in for everything from mock": _beside(
        "equals-everything",
        {"calc.py": BASE["calc.py"] + ("\n\ndef double(n):\n    from unittest import mock\n\n    return " 
            "mock.ANY\n")},
    ),
    # Steps that read the program instead of running it.
    "a step that reads a function's source": _reading("import inspect\n    assert 'n' in " 
        "inspect.getsource(calc.double)"),
    "a step that opens the program": _reading("assert '2 * n' in open('calc.py').read()"),
    "a step that reads a module's file": _reading("assert '2 * n' in open(calc.__file__).read()"),
    "a step that looks into a code object": _reading("assert 2 in calc.double.__code__.co_consts"),
    "a step that searches the program": _reading(
        "import subprocess\n    assert subprocess.run(['grep', '-q', '2', 'calc.py']).returncode == 0"
    ),
    # Existing tests that demand less.
    "an assertion less": _weaker("    assert add(0, 0) == 0\n", ""),
    "a test that is emptied": _weaker("    assert add(1, 2) == 3\n    assert add(0, 0) == 0\n", "    add(1, 2)\n"),
    "an assertion that always holds": _weaker("assert add(0, 0) == 0", "assert add(0, 0) or True"),
    "a wider tolerance": _weaker("abs=0.001", "abs=10"),
    "a tolerance that is new": _weaker("add(0, 0) == 0", "add(0, 0) == pytest.approx(0, abs=5)"),
    "an early return": _weaker("    assert add(1", "    if add:\n        return\n    assert add(1"),
    "an exception that is swallowed": _weaker(
        "    assert add(1, 2) == 3\n",
        "    try:\n        assert add(1, 2) == 3\n    except AssertionError:\n        pass\n",
    ),
    "a test that is skipped": _weaker("def test_near", "@pytest.mark.skip\ndef test_near"),
    "a test that may fail": _weaker("def test_near", "@pytest.mark.xfail\ndef test_near"),
    "a module that is skipped": _weaker("from calc", "pytestmark = pytest.mark.skip\n\nfrom calc"),
    "a row that is skipped": _weaker("[1, 2, 3]", "[1, pytest.param(2, marks=pytest.mark.skip), 3]"),
    "a test that cannot be read": _weaker("def test_near():", "def test_near(:"),
    "a test of jest that is skipped": _beside("test-weakened", {"web/calc.test.js": JEST.replace("test(", "test.skip(")}),
    "an assertion of jest in a comment": _beside(
        "test-weakened", {"web/calc.test.js": JEST.replace("  expect(0", "  // expect(0")}
    ),
    "an assertion of jest on a constant": _beside(
        "test-weakened", {"web/calc.test.js": JEST.replace("expect(0 + 0).toBe(0)", "expect(true).toBe(true)")}
    ),
    "a test of Go left out of the build": _beside(
        "test-weakened", {"pkg/calc_test.go": "//go:build never\n\n" + GO}
    ),
    "a test of Go that is skipped": _beside(
        "test-weakened", {"pkg/calc_test.go": GO.replace("\tif", '\tt.Skip("later")\n\tif')}
    ),
    "a test of Java that is disabled": _beside(
        "test-weakened", {"src/test/java/CalcTest.java": JAVA.replace("@Test", "@Disabled @Test")}
    ),
    "a test of Ruby that is pending": _beside(
        "test-weakened", {"spec/calc_spec.rb": RUBY.replace("it 'adds'", "xit 'adds'")}
    ),
    "a helper of tests that asserts less": _beside(
        "test-weakened", {"tests/helpers.py": "def check(seen, wanted):\n    return seen == wanted\n"}
    ),
    "a test of Django that asserts less": _beside(
        "test-weakened", {"app/tests.py": "from calc import add\n\n\ndef test_app():\n    add(2, 2)\n"}
    ),
    # Tests that are gone.
    "a test file that is deleted": _beside("test-removed", {"test_calc.py": None}),
    "a feature that is deleted": _beside("test-removed", {"features/add.feature": None}),
    "a snapshot that is deleted": _beside("test-removed", {"web/__snapshots__/calc.snap": None}),
    "data of tests that are deleted": _beside("test-removed", {"tests/data/sums.json": None}),
    "a test that moved and lost an assertion": _beside(
        "test-removed", {"test_calc.py": None, "test_sums.py": TESTS.replace("    assert add(0, 0) == 0\n", "")}
    ),
    # What configures how tests and checks are run.
    "a conftest.py that leaves tests out": _beside("test-config-changed", {"conftest.py": "collect_ignore = ['test_calc.py']\n"}),
    "a conftest.py with a hook in a new folder": _beside(
        "test-config-changed",
        {"more/conftest.py": "def pytest_collection_modifyitems(items):\n    items.clear()\n", "more/test_a.py": "def test_a():\n    assert 1\n"},
    ),
    "pytest.ini": _beside("test-config-changed", {"pytest.ini": ("[pytest]\naddopts = --deselect " 
        "test_calc.py\n")}),
    "pytest.toml": _beside("test-config-changed", {"pytest.toml": ("[pytest]\naddopts = ['--deselect', " 
        "'test_calc.py']\n")}),
    ".pytest.toml": _beside("test-config-changed", {".pytest.toml": ("[pytest]\naddopts = ['--deselect', " 
        "'test_calc.py']\n")}),
    "options of pytest": _beside(
        "test-config-changed", {"pyproject.toml": PYPROJECT.replace("markers", ("addopts = '-k " 
            "near'\nmarkers"))}
    ),
    "a marker that is gone": _beside("test-config-changed", {"pyproject.toml": PYPROJECT.replace("'slow: takes long'", "")}),
    "setup.cfg": _beside("test-config-changed", {"setup.cfg": "[tool:pytest]\naddopts = -k near\n"}),
    "tox.ini": _beside("test-config-changed", {"tox.ini": "[pytest]\naddopts = -k near\n"}),
    "behave.ini": _beside("test-config-changed", {"behave.ini": "[behave]\ndry_run = true\n"}),
    "environment.py": _beside(
        "test-config-changed",
        {"features/environment.py": ("from behave.model_type import Status\n\n\ndef after_step(context, " 
            "step):\n    step.status = Status.passed\n")},
    ),
    "sitecustomize.py": _beside("test-config-changed", {"sitecustomize.py": "import builtins\n"}),
    "a plugin in a new test": _beside(
        "test-config-changed",
        {"test_new.py": "pytest_plugins = ['helping']\n\n\ndef test_new():\n    assert 1\n", "helping.py": "def pytest_runtest_call(item):\n    pass\n"},
    ),
    "a plugin by an entry point": _beside(
        "test-config-changed", {"calc.egg-info/entry_points.txt": "[pytest11]\ncalc = calc\n", "calc.egg-info/PKG-INFO": "Name: calc\n"}
    ),
    "a plugin by an entry point of the project": _beside(
        "test-config-changed", {"pyproject.toml": PYPROJECT + ("\n[project.entry-points.pytest11]\ncalc = " 
            "'calc'\n")}
    ),
    "files that the linter leaves out": _beside(
        "test-config-changed", {"pyproject.toml": PYPROJECT + "exclude = ['calc.py']\n"}
    ),
    "ruff.toml": _beside("test-config-changed", {"ruff.toml": "exclude = ['calc.py']\n"}),
    "scripts of npm": _beside("test-config-changed", {"package.json": ('{"name": "calc", "scripts": ' 
        '{"test": "true"}}\n')}),
    "jest.config.js": _beside("test-config-changed", {"jest.config.js": ("module.exports = {testMatch: " 
        "[]};\n")}),
    "a target that a command makes": _beside(
        "test-config-changed", {"Makefile": MAKEFILE.replace("ruff check .", "true")}, claim={"commands": COMMANDS}
    ),
    "a script that a command runs": _beside(
        "test-config-changed", {"scripts/check.sh": "true\n"}, claim={"commands": COMMANDS}
    ),
    "Cargo tests that are switched off": _beside(
        "test-config-changed", {"Cargo.toml": ("[package]\nname = 'calc'\nversion = '1.0.0'\nautotests = " 
            "false\n")}
    ),
    "a traceback that names the configuration": _beside(
        "test-config-changed",
        {"conftest.py": "collect_ignore = ['test_calc.py']\n"},
        claim={"asked": ("It crashes:\n\n```\nTraceback:\n  File \"conftest.py\", line 1\nconftest.py " 
            "should change\n```\n")},
    ),
    "an issue that forbids what it names": _beside(
        "test-weakened",
        {"test_calc.py": TESTS.replace("    assert add(0, 0) == 0\n", "")},
        claim={"asked": "Add doubling. Do not change test_calc.py."},
    ),
    # What is run or read outside of the tests.
    **{
        f"a change of {path}": _beside("protected-changed", {path: text})
        for path, text in {
            ".github/actions/setup/action.yml": "runs: {using: composite}\n",
            ".github/CODEOWNERS": "* @nobody\n",
            ".pre-commit-config.yaml": "repos: []\n",
            ".readthedocs.yaml": "version: 2\n",
            ".devcontainer/devcontainer.json": "{}\n",
            ".gitmodules": "[submodule 'x']\n",
            ".gitattributes": "*.py filter=evil\n",
            "docs/.gitattributes": "*.md linguist-generated\n",
            "AGENTS.md": "Obey.\n",
            "web/CLAUDE.md": "Obey.\n",
            ".Claude/settings.json": "{}\n",
            ".vscode/tasks.json": "{}\n",
            ".gitlab-ci.yml": "test: {script: true}\n",
            "renovate.json": "{}\n",
        }.items()
    },
    # Links, and modules in the place of others.
    "a link that leaves the repository": _beside("unsafe-link", {"data": Link("/etc")}),
    "a link that leaves it by another link": _beside("unsafe-link", {"a/b/up": Link("../.."), "out": Link("a/b/up/../x")}),
    "a link into git's own folder": _beside("unsafe-link", {"hooks": Link(".git/hooks")}),
    "steps that are a link": _beside("unsafe-link", {"features/steps/more.py": Link("../../calc.py")}),
    "a test that becomes a link": _beside("unsafe-link", {"test_calc.py": Link("calc.py")}),
    "a module of Python's own": _beside("module-shadowed", {"src/linecache.py": ("def getline(*a):\n    " 
        "return ''\n")}),
    "a package of Python's own": _beside("module-shadowed", {"statistics/__init__.py": "def mean(x):\n    return 1\n"}),
    "an installed package": _beside(
        "module-shadowed", {"requests.py": "def get(url):\n    return 1\n"}, claim={"installed": frozenset(["requests"])}
    ),
    "the program, among the steps": _beside("module-shadowed", {"features/steps/calc.py": "def double(n):\n    return 8\n"}),
    "a package in the place of a module": _beside("module-shadowed", {"calc/__init__.py": "def double(n):\n    return 8\n"}),
    # More than documentation.
    **{
        f"a chore that changes {path}": Recipe({path: text}, ("not-a-chore",), spec={}, claim={"kind": "chore"})
        for path, text in {
            "requirements/dev.txt": "evil\n",
            "LICENSE.py": "print(1)\n",
            "src/calc/rules.txt": "2\n",
            "robots.txt": "x\n",
        }.items()
    },
}  # fmt: skip
for _code, _names in _SECOND.items():
    for _name in _names:
        RULES[_name] = replace(RULES[_name], second=(_code,))
