"""Test modules whose names pytest does not collect by itself."""

import re

from runners.environment.finding.sources import Sources

# https://docs.pytest.org/en/stable/reference/reference.html#confval-python_files
_COLLECTED = re.compile(r"(^|.*/)(test_[^/]*|[^/]*_test)\.py")
_OTHER = re.compile(r"(^|.*/)tests?\.py")
_IS_TEST = re.compile(r"^\s*(?:async )?def test|\bTestCase\b", re.M)
_SETTINGS = ("pytest.ini", ".pytest.ini", "pyproject.toml", "tox.ini", "setup.cfg")
_OPTION = "-o 'python_files=test_*.py *_test.py tests.py test.py'"


def other_test_modules(sources: Sources) -> list[str]:
    """Return the paths of modules named ``tests.py`` or ``test.py``, where a repository has no other tests.

    None where the repository says itself which files pytest collects.
    """
    if any(map(_COLLECTED.fullmatch, sources.paths)):
        return []
    if any("python_files" in sources.glance(path) for path in _SETTINGS if path in sources):
        return []
    named = sorted(path for path in sources.paths if _OTHER.fullmatch(path))
    return [path for path in named if _IS_TEST.search(sources.glance(path))]


def pytest_variables(sources: Sources) -> dict[str, str]:
    """Return the variables with which pytest collects those modules, too."""
    return {"PYTEST_ADDOPTS": _OPTION} if other_test_modules(sources) else {}
