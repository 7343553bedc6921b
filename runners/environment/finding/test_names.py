"""Configure pytest if it would not find a repository's tests by itself.

This is so for modules with other names, and for tests in subfolders.
"""

import re
from pathlib import PurePosixPath

from runners.environment.finding.sources import Sources, join, parent, table

# The variable that names the folder in which pytest is started.
TESTS_IN = "SCENARIST_TESTS_IN"
# https://docs.pytest.org/en/stable/reference/reference.html#confval-python_files
_COLLECTED = re.compile(r"(^|.*/)(test_[^/]*|[^/]*_test)\.py")
_OTHER = re.compile(r"(^|.*/)(tests?|[^/]+_tests|[Tt]ests?[A-Z][^/]*|[^/]*[a-z0-9]Tests?)\.py")
_IS_TEST = re.compile(r"^\s*(?:async )?def test|\bTestCase\b", re.M)
_SETTINGS = ("pytest.ini", ".pytest.ini", "pyproject.toml", "tox.ini", "setup.cfg")
_OPTION = (
    "-o 'python_files=test_*.py *_test.py tests.py test.py *_tests.py [Tt]est[A-Z]*.py [Tt]ests[A-Z]*.py "
    "*Test.py *Tests.py'"
)
_MANIFEST = re.compile(
    r"pyproject\.toml|setup\.(py|cfg)|Pipfile|[\w.-]*requirements[\w.-]*\.(txt|in)|manage\.py"
)
_HELPERS = re.compile(r"(^|/)(docs?|examples?|scripts?|tools?|ci|node_modules|\.[^/]+)/")


def other_test_modules(sources: Sources) -> list[str]:
    """Return the paths of test modules whose names pytest does not know, where a repository has no others.

    They are named ``tests.py``, ``shop_tests.py``, ``TestShop.py`` or ``ShopTest.py``. None where the
    repository says itself which files pytest collects.
    """
    if any(map(_COLLECTED.fullmatch, sources.paths)):
        return []
    if any("python_files" in sources.glance(path) for path in _SETTINGS if path in sources):
        return []
    named = sorted(path for path in sources.paths if _OTHER.fullmatch(path))
    return [path for path in named if _IS_TEST.search(sources.glance(path))]


def python_folder(sources: Sources) -> str:
    """Return the subfolder that holds all the Python of a repository; empty if there is no such folder.

    Such a repository has, for example, a ``backend`` and a ``frontend``.
    """
    python = [path for path in sources.paths if path.endswith(".py") and not _HELPERS.search(path)]
    tops = {path.partition("/")[0] for path in python}
    if len(tops) != 1 or any("/" not in path for path in python):
        return ""
    if any(path in sources for path in (*_SETTINGS, "setup.py")):
        return ""
    holding = {parent(path) for path in sources.paths if _MANIFEST.fullmatch(PurePosixPath(path).name)}
    top = min((each for each in holding if each.partition("/")[0] in tops), key=len, default="")
    return top if top and all(path.startswith(f"{top}/") for path in python) else ""


def pytest_variables(sources: Sources) -> dict[str, str]:
    """Return the variables with which pytest finds the tests, and the tests find what they import."""
    found, options = {}, []
    if any(path.startswith("src/") for path in sources.paths):
        found["PYTHONPATH"] = "src"
    if other_test_modules(sources):
        options.append(_OPTION)
    if folder := python_folder(sources):
        found |= {"PYTHONPATH": folder, TESTS_IN: folder}
    elif _same_names(sources):
        options.append("--import-mode=importlib")
    return {**found, "PYTEST_ADDOPTS": " ".join(options)} if options else found


def _same_names(sources: Sources) -> bool:
    """Return whether tests of several packages of a repository have the same module name.

    pytest cannot import both in one run, unless its import mode is ``importlib``:
    https://docs.pytest.org/en/stable/explanation/pythonpath.html
    """
    if "setup.py" in sources or table(sources.toml("pyproject.toml"), "project"):
        return False
    if any("import-mode" in sources.glance(path) for path in _SETTINGS if path in sources):
        return False
    folders = [
        parent(path)
        for path in sources.paths
        if PurePosixPath(path).name in ("pyproject.toml", "setup.py") and "/" in path
    ]
    seen: dict[str, str] = {}
    for path in filter(_COLLECTED.fullmatch, sources.paths):
        package = next((each for each in folders if path.startswith(f"{each}/")), "")
        if package and seen.setdefault(_imported_as(sources, path), package) != package:
            return True
    return False


def _imported_as(sources: Sources, path: str) -> str:
    """Return the name under which pytest imports a test module: from its topmost package on."""
    folder = parent(path)
    while folder and join(folder, "__init__.py") in sources:
        folder = parent(folder)
    return path[len(folder) + 1 :] if folder else path
