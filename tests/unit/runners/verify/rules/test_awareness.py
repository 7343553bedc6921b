"""Code that asks whether a test runs, or imports files of the tests."""

import pytest

from runners.verify.rules.awareness import asks_for_tests, imports_of

JUDGES = ["features/support.py", "tests/__init__.py", "tests/fakes.py", "app/tests/factories.py"]


@pytest.mark.parametrize(
    "source",
    [
        "import sys\nif 'behave' in sys.modules:\n    X = 1\n",
        "import sys\nX = sys.modules.get('pytest')\n",
        "from sys import modules\nX = 'behave.runner' not in modules\n",
        "import sys\nX = 'pytest' in sys.argv[0]\n",
        "import sys\nX = sys.argv[0].endswith('behave')\n",
        "import os\nX = os.environ.get('PYTEST_CURRENT_TEST')\n",
        "import os\nX = 'PYTEST_VERSION' in os.environ\n",
        "import inspect\ndef f():\n    return any('steps' in each.filename for each in inspect.stack())\n",
        "import sys\ndef f():\n    return 'test_' in sys._getframe(1).f_code.co_name\n",
    ],
)
def test_asking_for_tests_is_seen(source: str) -> None:
    assert len(asks_for_tests(source)) == 1


@pytest.mark.parametrize(
    "source",
    [
        "import sys\nX = 'numpy' in sys.modules\n",
        "import sys\nX = '--tests' in sys.argv\n",
        "import os\nX = os.environ.get('HOME')\n",
        '"""Reads PYTEST_CURRENT_TEST, as pytest does."""\n',
        "import inspect\ndef caller():\n    return inspect.stack()[1].filename\n",
        "def f(kind):\n    return kind in ('pytest', 'behave')\n",
        "def broken(:",
    ],
)
def test_other_questions_are_nobodys_business(source: str) -> None:
    assert asks_for_tests(source) == []


@pytest.mark.parametrize(
    ("source", "path", "file"),
    [
        ("from features.support import double\n", "calc.py", "features/support.py"),
        ("import features.support as s\n", "calc.py", "features/support.py"),
        ("def f():\n    from tests import fakes\n", "src/calc.py", "tests/fakes.py"),
        ("import importlib\nX = importlib.import_module('tests.fakes')\n", "calc.py", "tests/fakes.py"),
        ("from .tests.factories import make\n", "app/models.py", "app/tests/factories.py"),
        ("from ..tests import factories\n", "app/core/models.py", "app/tests/factories.py"),
    ],
)
def test_an_import_of_a_file_of_the_tests_is_seen(source: str, path: str, file: str) -> None:
    assert file in [what for _, what in imports_of(source, path, JUDGES)]


@pytest.mark.parametrize(
    "source", ["import testing\n", "from app import models\n", "from . import support\n", "import os.path\n"]
)
def test_other_imports_are_left_alone(source: str) -> None:
    assert imports_of(source, "app/views.py", JUDGES) == []
