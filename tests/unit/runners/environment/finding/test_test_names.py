"""Test modules of other names than pytest's own are collected where a repository has no others."""

from pathlib import Path

import pytest

from runners.environment.finding.sources import Sources
from runners.environment.finding.test_names import TESTS_IN, other_test_modules, pytest_variables
from runners.environment.prepare import Environments
from runners.sandbox.bubblewrap import Sandbox
from runners.sandbox.limits import CommandLimits
from runners.verify.suites.suites import Suites
from tests.support.waiting import HANG_S
from tests.support.workbench import Workbench

CASE = "import unittest\n\n\nclass PkgTestCase(unittest.TestCase):\n    def test_it(self):\n        pass\n"


@pytest.mark.parametrize(
    ("files", "wanted"),
    [
        ({"pkg/tests.py": CASE}, ["pkg/tests.py"]),
        ({"tests/pkg_tests.py": CASE}, ["tests/pkg_tests.py"]),
        ({"tests/TestPkg.py": CASE, "tests/testMore.py": CASE}, ["tests/TestPkg.py", "tests/testMore.py"]),
        ({"tests/PkgTest.py": CASE, "pkg/Latest.py": CASE}, ["tests/PkgTest.py"]),
        ({"test.py": "def test_it():\n    pass\n"}, ["test.py"]),
        ({"pkg/tests.py": CASE, "tests/test_a.py": ""}, []),
        ({"pkg/tests.py": CASE, "a_test.py": ""}, []),
        ({"pkg/tests.py": CASE, "setup.cfg": "[tool:pytest]\npython_files = tests.py\n"}, []),
        ({"pkg/tests.py": "NAMES = ['a']\n"}, []),
    ],
)
def test_which_modules_are_meant(files: dict[str, str], wanted: list[str]) -> None:
    assert other_test_modules(Sources.of_files(files)) == wanted


FULL_STACK = {"backend/app/main.py": "", "backend/tests/test_main.py": "", "frontend/index.js": ""}
PACKAGES = {
    "packages/a/pyproject.toml": "[project]\nname = 'a'\n",
    "packages/b/pyproject.toml": "[project]\nname = 'b'\n",
    "packages/a/tests/test_core.py": "",
    "packages/b/tests/test_core.py": "",
}
PYTEST = "[tool.pytest.ini_options]\n"


@pytest.mark.parametrize(
    ("files", "wanted"),
    [
        pytest.param({"src/pkg.py": "", "setup.py": ""}, {"PYTHONPATH": "src"}, id="src layout"),
        pytest.param(
            {**FULL_STACK, "backend/requirements.txt": ""},
            {"PYTHONPATH": "backend", TESTS_IN: "backend"},
            id="backend and frontend",
        ),
        pytest.param(
            {**FULL_STACK, "backend/pyproject.toml": PYTEST},
            {"PYTHONPATH": "backend", TESTS_IN: "backend"},
            id="with pytest's configuration there",
        ),
        pytest.param(
            {**FULL_STACK, "pyproject.toml": "", "backend/setup.py": ""}, {}, id="a project at the root"
        ),
        pytest.param(
            {**FULL_STACK, "shop/app.py": "", "backend/setup.py": ""}, {}, id="Python elsewhere, too"
        ),
        pytest.param(
            PACKAGES, {"PYTEST_ADDOPTS": "--import-mode=importlib"}, id="equal names in two packages"
        ),
        pytest.param(
            {**PACKAGES, "packages/a/tests/__init__.py": ""},
            {},
            id="the names differ by the package of the tests",
        ),
        pytest.param(
            {**PACKAGES, "pytest.ini": "[pytest]\naddopts = --import-mode=append\n"},
            {},
            id="the repository says it",
        ),
        pytest.param({**PACKAGES, "setup.py": ""}, {}, id="data of the tests of one package"),
    ],
)
def test_what_pytest_is_told(files: dict[str, str], wanted: dict[str, str]) -> None:
    assert pytest_variables(Sources.of_files(files)) == wanted


def test_they_are_run_and_so_is_what_a_change_adds(tmp_path: Path) -> None:
    bench = Workbench(tmp_path / "state")
    limits = CommandLimits(wall_s=HANG_S)
    base = bench.commit({"pkg/__init__.py": "", "pkg/tests.py": CASE})
    environment = Environments(bench.workspaces, limits, unsafe=False).prepare(bench.mirror, base, ())
    assert "pkg/tests.py" in " ".join(environment.notes)
    head = bench.commit({"tests/test_new.py": "def test_new():\n    pass\n"})
    suites = Suites(
        lambda root, ro, rw: environment.sandbox(root, ro, rw, limits=limits), features="features"
    )
    with bench.workspaces.worktree(bench.mirror, head, "run", "head") as tree:
        run = suites.pytest(tree.root)
    assert set(run.outcomes) == {"pkg/tests.py::PkgTestCase::test_it", "tests/test_new.py::test_new"}
    assert run.counts.passed == 2 and not run.broken


def test_tests_in_a_subfolder_are_run_there_and_named_from_the_root(tmp_path: Path) -> None:
    files = {
        "backend/pyproject.toml": PYTEST + "addopts = '--strict-markers'\nmarkers = ['slow: x']\n",
        "backend/app/main.py": "def double(n):\n    return 2 * n\n",
        "backend/tests/test_main.py": "import pytest\nfrom app.main import double\n\n\n@pytest.mark.slow\n"
        "def test_double():\n    assert open('pyproject.toml') and double(2) == 4\n",
        "backend/tests/test_red.py": "def test_red():\n    assert False\n",
    }
    for path, text in files.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    variables = pytest_variables(Sources.of_files(files))
    limits = CommandLimits(wall_s=HANG_S)
    suites = Suites(
        lambda root, ro, rw: Sandbox(root, read_only=ro, writable=rw, env=variables, limits=limits),
        features="features",
    )
    run = suites.pytest(tmp_path)
    (red,) = run.failures
    assert (red.test, red.path) == ("backend/tests/test_red.py::test_red", "backend/tests/test_red.py")
    assert run.outcomes == {"backend/tests/test_main.py::test_double": "passed", red.test: "failed"}
    assert suites.pytest(tmp_path, ["backend/tests/test_main.py"]).counts.total == 1
