"""Honest changes, none of which may be refused."""

from collections.abc import Mapping
from typing import Any

from tests.gate.recipes.table import (
    COMMANDS,
    DOUBLE,
    JEST,
    MAKEFILE,
    PYPROJECT,
    STEPS_FILE,
    STRONG,
    TESTS,
    WITH_THEN,
    Recipe,
)
from tests.support.workbench import BASE, FEATURE, STEPS, WORK, Link

PARAMETRISED = TESTS.replace(
    "def test_add():\n    assert add(1, 2) == 3\n    assert add(0, 0) == 0\n",
    "@pytest.mark.parametrize(('a', 'b', 'c'), [(1, 2, 3), (0, 0, 0)])\ndef test_add(a, b, c):\n    assert "
    "add(a, b) == c\n",
)
HELPED = TESTS.replace(
    "def test_add():\n    assert add(1, 2) == 3\n    assert add(0, 0) == 0\n",
    "def check(a, b, c):\n    assert add(a, b) == c\n\n\ndef test_add():\n    check(1, 2, 3)\n    check(0, "
    "0, 0)\n",
)


def _test(old: str, new: str) -> Recipe:
    assert old in TESTS
    return Recipe({**WORK, "test_calc.py": TESTS.replace(old, new)})


def _more(files: Mapping[str, str | Link | None], **more: Any) -> Recipe:
    return Recipe({**WORK, **files}, **more)


def _asked(files: Mapping[str, str | Link | None], sentence: str) -> Recipe:
    return _more(files, claim={"asked": sentence})


# What no rule may refuse.
HONEST_RULES: dict[str, Recipe] = {
    "a test that is strengthened": _test("    assert add(0, 0) == 0\n", ("    assert add(0, 0) == 0\n    " 
        "assert add(2, 2) == 4\n")),
    "an assertion that demands another value": _test("add(0, 0) == 0", "add(0, 1) == 1"),
    "a test more in the same file": _more({"test_calc.py": TESTS + ("\n\ndef test_more():\n    assert " 
        "add(2, 2) == 4\n")}),
    "an assertion that moves to a test of its own": _test(
        "    assert add(0, 0) == 0\n", "\n\ndef test_nothing():\n    assert add(0, 0) == 0\n"
    ),
    "a stub that returns inside of a test": _test(
        "def test_near():\n", "def test_near():\n    def stub(a, b):\n        return a + b\n\n"
    ),
    "a failure that is told in better words": _test(
        "    assert add(1, 2) == 3\n", ("    try:\n        assert add(1, 2) == 3\n    except TypeError:\n   " 
            "     pytest.fail('no numbers')\n")
    ),
    "a process with a longer time": Recipe(
        {**WORK, "test_run.py": ("import subprocess\n\n\ndef test_run():\n    assert " 
            "subprocess.run(['true'], timeout=60).returncode == 0\n")},
        base={**STRONG, "test_run.py": ("import subprocess\n\n\ndef test_run():\n    assert " 
            "subprocess.run(['true'], timeout=10).returncode == 0\n")},
    ),
    "a closer tolerance": _test("abs=0.001", "abs=0.0001"),
    "a test of jest in a table": _more(
        {"web/calc.test.js": ("test.each([[1, 2, 3], [0, 0, 0]])('adds', (a, b, c) => {\n  expect(a + " 
            "b).toBe(c);\n});\n")}
    ),
    "a test of jest more": _more({"web/calc.test.js": JEST + ("test('more', () => {\n  expect(2).toBe(1 + " 
        "1);\n});\n")}),
    "a snapshot that grows": _more({"web/__snapshots__/calc.snap": ("exports[`adds 1`] = " 
        "`3`;\n\nexports[`more 1`] = `4`;\n")}),
    "a new folder of tests with its own conftest.py": _more(
        {
            "more/conftest.py": ('"""What these share."""\n\nimport pytest\n\nLIMIT = ' 
                '3\n\n\n@pytest.fixture\ndef four():\n    return 4\n'),
            "more/test_double.py": ("import calc\n\n\ndef test_double(four):\n    assert calc.double(four) " 
                "== 8\n"),
        }
    ),
    "a marker that is new": _more({"pyproject.toml": PYPROJECT.replace("['slow: takes long']", "['slow: takes long', 'fast: does not']")}),
    "a first marker": Recipe(
        {**WORK, "pyproject.toml": ("[project]\nname = 'calc'\n\n[tool.pytest.ini_options]\nmarkers = " 
            "['slow: takes long']\n")},
        base={**BASE, "pyproject.toml": "[project]\nname = 'calc'\n"},
    ),
    "another version of the project": _more({"pyproject.toml": PYPROJECT.replace("version = '1'", "version = '2'")}),
    "a dependency of npm": _more({"package.json": ('{"name": "calc", "scripts": {"test": "jest"}, ' 
        '"dependencies": {"a": "1"}}\n')}),
    "a target that no command makes": _more({"Makefile": MAKEFILE + "\nclean:\n\trm -rf build\n"}, claim={"commands": COMMANDS}),
    "a Makefile that no command uses": _more({"Makefile": MAKEFILE.replace("ruff check .", "ruff check --fix .")}),
    "a program that a command checks": _more({}, claim={"commands": ("python -m compileall -q calc.py",)}),
    "line ends in .gitattributes": _more({".gitattributes": "*.py text eol=lf\n"}),
    "a link within the repository": _more({"latest.txt": Link("README.md")}),
    "a module of Python's own inside of a package": _more({"shop/__init__.py": "", "shop/types.py": "Price = int\n"}),
    "two tests of the same name in two folders": _more(
        {"more/__init__.py": "", "more/test_calc.py": ("import calc\n\n\ndef test_double():\n    assert " 
            "calc.double(2) == 4\n")}
    ),
    "a factory of the tests that equals everything": _more(
        {"tests/factories.py": "from unittest import mock\n\n\ndef anything():\n    return mock.ANY\n"}
    ),
    "a stand-in in the tests that equals everything": _more(
        {"test_any.py": ("class Any:\n    def __eq__(self, other):\n        return True\n\n\ndef " 
            "test_any():\n    assert Any() == 1\n")}
    ),
    "a helper of steps that asserts": _more(
        {STEPS_FILE: WITH_THEN + ('\n\ndef check(seen, wanted):\n    assert seen == wanted, ' 
            'seen\n\n\n@then("all is {n:d}")\ndef all_is(context, n):\n    check(context.result, n)\n')}
    ),
    "a step of any kind for what is given": _more(
        {STEPS_FILE: STEPS.replace("import when", "import step, when") + ('\n\n@step("I wait")\ndef ' 
            'wait(context):\n    pass\n')}
    ),
    "a step that opens what the program wrote": _more(
        {STEPS_FILE: WITH_THEN + ('\n\n@then("the file says {n:d}")\ndef file_says(context, n):\n    assert ' 
            'int(open("out.txt").read()) == n\n')}
    ),
    "documents": _more({"docs/double.md": "# Double\n", "CHANGELOG.md": "* doubles\n"}),
    "a line in .gitignore": _more({".gitignore": "build/\n"}),
    "a fixture in the configuration that was asked for": _asked({"conftest.py": "X = 1\n"}, "Double a number. Put its fixture into conftest.py."),
    "a test that was to be removed": _asked(
        {"test_calc.py": TESTS.replace("    assert add(0, 0) == 0\n", "")}, ("* Drop the useless half of " 
            "`test_add`.\n* Add doubling.")
    ),
    "a chore in documents": Recipe({"README.md": "# Calc\n\nAdds.\n", "docs/guide.rst": "Guide\n", "LICENSE": "x\n"}, spec={}, claim={"kind": "chore"}),
    "a chore in docstrings": Recipe(
        {"calc.py": '"""Sums."""\n\n\n# adds\ndef add(a, b):\n    """The sum."""\n    return a + b\n'}, spec={}, claim={"kind": "chore"}
    ),
}  # fmt: skip

FILES = "import pathlib\n\n\ndef test_it():\n"
# What only a run shows to be right.
HONEST_RUNS: dict[str, Recipe] = {
    "assertions that move into a parametrised test": Recipe({**WORK, "test_calc.py": PARAMETRISED}, base={**BASE, "test_calc.py": TESTS}),
    "assertions that move into a helper of the file": Recipe({**WORK, "test_calc.py": HELPED}, base={**BASE, "test_calc.py": TESTS}),
    "a column more in a parametrised test": Recipe(
        {**WORK, "test_calc.py": TESTS.replace("'n', [1, 2, 3])\ndef test_zero(n)", "('n', 'm'), [(1, 1), (2, 2), (3, 3)])\ndef test_zero(n, m)").replace("== n\n", "== m\n")},
        base={**BASE, "test_calc.py": TESTS},
    ),
    "a test file that moves with the same tests": Recipe(
        {**WORK, "test_calc.py": None, "checks/test_sums.py": TESTS}, base={**BASE, "test_calc.py": TESTS}
    ),
    "tests that write files": Recipe(
        WORK, base={**BASE, "test_files.py": FILES + ("    pathlib.Path('out.txt').write_text('x')\n    " 
            "pathlib.Path('calc.bak').write_text('x')\n")}
    ),
    "tests that change files of the repository": Recipe(
        WORK, base={**BASE, "README.md": "", "test_files.py": FILES + "    with pathlib.Path('README.md').open('a') as out:\n        out.write('x')\n"}
    ),
    "a database that the scenarios write": Recipe(
        {**WORK, "calc.py": DOUBLE.replace("    return 2 * n", ("    import sqlite3\n\n    with " 
            "sqlite3.connect('calc.db') as db:\n        db.execute('create table seen (n int)')\n    "
            "return 2 * n"))},
        base=BASE,
    ),
    "tests that need the network": Recipe(
        WORK, base={**BASE, "test_net.py": ("import urllib.request\n\n\ndef test_it():\n    " 
            "urllib.request.urlopen('https://example.org', timeout=2)\n")}
    ),
    "tests that lean on each other": Recipe(
        WORK, base={**BASE, "test_order.py": ("seen = []\n\n\ndef test_a():\n    seen.append(1)\n\n\ndef " 
            "test_b():\n    assert seen\n")}
    ),
    "3,000 tests": Recipe(
        WORK, base={**BASE, "test_many.py": ("import pytest\n\n\n@pytest.mark.parametrize('n', " 
            "range(3000))\ndef test_it(n):\n    assert n >= 0\n")}
    ),
    "a base with an import loop nobody runs into": Recipe(WORK, base={**BASE, "one.py": "import two\n", "two.py": "import one\n"}),
    "names with spaces and umlauts": Recipe({**WORK, "noch eine Datei \u00e4.txt": "y"}, base={**BASE, "Gr\u00fc\u00dfe an alle.txt": "x"}),
    "a base that patches its runner": Recipe(
        WORK,
        base={**BASE, "features/environment.py": "from behave.model import Scenario\n\nbefore = "
                                                 "Scenario.run\n\n\ndef run(self, *args, **kwargs):\n"
              "    return before(self, *args, **kwargs)\n\n\nScenario.run = run\n"},
    ),
    "a base below its threshold of coverage": Recipe(
        WORK, base={**BASE, "conftest.py": "def pytest_sessionfinish(session):\n    session.exitstatus = 1\n"}
    ),
    "scenarios in a table": Recipe(
        WORK,
        spec={FEATURE: ("Feature: Double\n\n  Scenario Outline: Doubling\n    When I double <n>\n    Then I " 
            "get <r>\n\n    Examples:\n      | n | r |\n      | 4 | 8 |\n      | 5 | 10 |\n")},
        base=BASE,
    ),
}  # fmt: skip
