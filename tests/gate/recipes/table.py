"""What a recipe is, and the repositories that most of them change.

Every change is laid on `STRONG`, a small repository with tests, features and some configuration. What `work`
does to a file stands as its new text (None: deleted); a `Link` is a symbolic link.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from tests.support.workbench import BASE, FEATURE, SPEC, STEPS, WORK, Files, Link

DOUBLE = WORK["calc.py"]
STEPS_FILE = "features/steps/double_steps.py"
OUTCOME = {FEATURE: SPEC[FEATURE].replace("I get 8", "the double is 8")}
WITH_THEN = STEPS.replace("import when", "import then, when")

TESTS = (
    "import pytest\n\nfrom calc import add\n\n\ndef test_add():\n    assert add(1, 2) == 3\n    assert "
    "add(0, 0) == 0\n\n\n"
    "def test_near():\n    assert add(0.1, 0.2) == pytest.approx(0.3, abs=0.001)\n\n\n"
    "@pytest.mark.parametrize('n', [1, 2, 3])\ndef test_zero(n):\n    assert add(n, 0) == n\n"
)
JEST = "test('adds', () => {\n  expect(1 + 2).toBe(3);\n  expect(0 + 0).toBe(0);\n});\n"
GO = 'package calc\n\nfunc TestAdd(t *testing.T) {\n\tif Add(1, 2) != 3 {\n\t\tt.Error("no")\n\t}\n}\n'
JAVA = (
    "class CalcTest {\n  @Test void adds() {\n    assertEquals(3, add(1, 2));\n    assertEquals(0, "
    "add(0, 0));\n  }\n}\n"
)
RUBY = "describe Calc do\n  it 'adds' do\n    expect(add(1, 2)).to eq 3\n  end\nend\n"
MAKEFILE = "lint:\n\truff check .\n\nrelease:\n\techo done\n"
PYPROJECT = (
    "[project]\nname = 'calc'\nversion = '1'\n\n[tool.pytest.ini_options]\nmarkers = ['slow: takes long']\n\n"
    "[tool.ruff]\nline-length = 100\n"
)
STRONG: dict[str, str] = {
    **BASE,
    "test_calc.py": TESTS,
    "web/calc.test.js": JEST,
    "web/__snapshots__/calc.snap": "exports[`adds 1`] = `3`;\n",
    "pkg/calc_test.go": GO,
    "src/test/java/CalcTest.java": JAVA,
    "spec/calc_spec.rb": RUBY,
    "tests/data/sums.json": "[[1, 2, 3]]\n",
    "tests/helpers.py": "def check(seen, wanted):\n    assert seen == wanted, seen\n",
    "app/tests.py": "from calc import add\n\n\ndef test_app():\n    assert add(2, 2) == 4\n",
    "Makefile": MAKEFILE,
    "pyproject.toml": PYPROJECT,
    "package.json": '{"name": "calc", "scripts": {"test": "jest"}}\n',
    "Cargo.toml": "[package]\nname = 'calc'\nversion = '1.0.0'\n",
    "scripts/check.sh": "python -m compileall -q .\n",
    "README.md": "# Calc\n",
}
COMMANDS = ("make lint", "bash scripts/check.sh")


@dataclass(frozen=True)
class Recipe:
    """One change: its files, and the problems of which it must get one; without any it must pass."""

    work: Mapping[str, str | Link | None]
    codes: tuple[str, ...] = ()
    spec: Files = field(default_factory=lambda: SPEC)
    base: Files = field(default_factory=lambda: STRONG)
    claim: Mapping[str, Any] = field(default_factory=dict)
    # Problems that another guard still finds when the first one is switched off.
    second: tuple[str, ...] = ()
    # What the change gets past where its guard is off: the bare command of a suite, the verdict without the
    # comparison of the runner's functions, or nothing, since it is a mistake and no cheat.
    fools: Literal["behave", "pytest", "tampered", "nothing"] = "behave"
