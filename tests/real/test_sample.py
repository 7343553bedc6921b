"""Five tiny projects of the shapes of `projects.yml`, tried in the same way: green for a right change, red
for a wrong one."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from runners.sandbox.limits import CommandLimits
from tests.real.projects import Project, commit, git
from tests.real.trial import attempt

# What they install comes from the package registry.
pytestmark = pytest.mark.timeout(900)

_CODE = "def double(number):\n    return 2 * number\n"
_TEST = "from {name} import double\n\n\ndef test_double():\n    assert double(2) == 4\n"
_BUILD = '[build-system]\nrequires = ["setuptools>=77"]\nbuild-backend = "setuptools.build_meta"\n'
_C = """#include <Python.h>
static PyObject *twice(PyObject *self, PyObject *arg) { return PyNumber_Add(arg, arg); }
static PyMethodDef methods[] = {{"twice", twice, METH_O, ""}, {0}};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "_fast", 0, -1, methods};
PyMODINIT_FUNC PyInit__fast(void) { return PyModule_Create(&module); }
"""

SHAPES: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "unittest only": (
        "shapes.py",
        {
            "shapes.py": _CODE,
            "tests/test_shapes.py": "import unittest\n\nfrom shapes import double\n\n\nclass "
            "DoubleTest(unittest.TestCase):\n"
            "    def test_double(self):\n        self.assertEqual(double(2), 4)\n",
        },
    ),
    "tests that stop at the first failure": (
        "shapes.py",
        {
            "shapes.py": _CODE,
            "pytest.ini": "[pytest]\naddopts = -x --strict-config\n",
            "tests/test_a.py": "def test_always_fails():\n    assert False\n",
            "tests/test_shapes.py": _TEST.format(name="shapes")
            + "\n\ndef test_more():\n    assert double(3) == 6\n" * 2,
        },
    ),
    "setup.cfg, src layout": (
        "src/shapes/__init__.py",
        {
            "setup.cfg": "[metadata]\nname = shapes\nversion = 1\n[options]\npackages = find:\npackage_dir "
            "=\n    = src\n"
            "[options.packages.find]\nwhere = src\n",
            "setup.py": "from setuptools import setup\n\nsetup()\n",
            "src/shapes/__init__.py": _CODE,
            "tests/test_shapes.py": _TEST.format(name="shapes"),
        },
    ),
    "version of the VCS": (
        "shapes/__init__.py",
        {
            "pyproject.toml": '[build-system]\nrequires = ["setuptools>=77", "setuptools-scm>=8"]\n'
            'build-backend = "setuptools.build_meta"\n[project]\nname = "shapes"\ndynamic = ["version"]\n'
            '[tool.setuptools]\npackages = ["shapes"]\n[tool.setuptools_scm]\nversion_file = '
            '"shapes/_version.py"\n',
            ".gitignore": "_version.py\n",
            "shapes/__init__.py": "from ._version import version\n\n\n" + _CODE,
            "tests/test_shapes.py": _TEST.format(name="shapes")
            + "\n\ndef test_version():\n    import shapes\n\n    assert shapes.version.startswith('1.2')\n",
        },
    ),
    "C extension": (
        "shapes/__init__.py",
        {
            "pyproject.toml": _BUILD,
            "setup.py": "from setuptools import Extension, setup\n\n"
            "setup(name='shapes', version='1', packages=['shapes'], ext_modules=[Extension('shapes._fast', "
            "['shapes/_fast.c'])])\n",
            "shapes/__init__.py": (
                "from shapes._fast import twice\n\n\ndef double(number):\n    return twice(number)\n"
            ),
            "shapes/_fast.c": _C,
            "tests/test_shapes.py": _TEST.format(name="shapes"),
        },
    ),
}


@pytest.mark.parametrize("shape", list(SHAPES))
def test_a_project_of_this_shape_needs_no_configuration(shape: str, tmp_path: Path) -> None:
    module, files = SHAPES[shape]

    def write(_project: Project, folder: Path) -> str:
        for path, text in files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text)
        git(folder, "init", "--quiet", "--initial-branch", "main")
        first = commit(folder, "The project")
        git(folder, "tag", "v1.2")
        return first

    project = Project(
        name="shapes",
        version="1.2",
        sha256="",
        shape=shape,
        module=module,
        breaks=f"{module}::double",
        test="tests/test_probe.py",
    )
    trial = attempt(project, tmp_path / "trial", CommandLimits(), write)
    assert trial.good, trial
    (counts,) = trial.base.values()
    assert counts.passed, "tests were collected without any configuration"
