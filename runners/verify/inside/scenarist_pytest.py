"""Run pytest and report one JSON line for each test.

It runs inside the sandbox, beside the repository's code, and imports nothing of Scenarist.

    python /opt/scenarist/scenarist_pytest.py REPORT [--switch SWITCH STATE] ARGUMENTS…

With `--switch`, instrumented code gives other results back while a test runs: the symbolic link SWITCH
says STATE then. The test's record says whether some result was `altered`, or
`dropped`: its caller does not use it.

The repository's own configuration and plugins are used, except for options that stop pytest early or make two
runs differ, and for measuring coverage: see `pytest_cmdline_main` and `pytest_load_initial_conftests`.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Callable, Iterator
from typing import Any

import scenarist_path
from scenarist_watch import parts, replaced

scenarist_path.load(
    *("pytest", "_pytest.config", "_pytest.main", "_pytest.runner", "_pytest.unittest"), later=("pluggy",)
)

import pytest  # noqa: E402

_report: Any = None
_root = os.getcwd()
_RANK = {"passed": 0, "skipped": 1, "failed": 2, "error": 3}
_seen: dict[str, dict[str, Any]] = {}
# Options that make pytest leave tests out, and their neutral values. They stop pytest after failures or
# errors of collection, or use the results of an earlier run.
_WHOLE = {
    "maxfail": 0,
    "continue_on_collection_errors": True,
    "stepwise": False,
    "stepwise_skip": False,
    "lf": False,
    "usepdb": False,
}
# The seeds of plugins that run tests in a random order (pytest-randomly, pytest-random-order).
_SEEDS = {"randomly_seed": 1, "random_order_seed": "1"}


# The switch of instrumented code and what it says during a test; the tests during which results were altered
# or dropped.
_switch: tuple[str, str] | None = None
_marked: dict[str, set[str]] = {"altered": set(), "dropped": set()}


def _note(test: str, outcome: str, path: str = "", line: int | None = None, message: str = "") -> None:
    known = _seen.get(test)
    if known is None or _RANK[outcome] > _RANK[known["outcome"]]:
        _seen[test] = {
            "test": test,
            "outcome": outcome,
            "path": path,
            "line": line,
            "message": message[-4000:],
        }


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: Any) -> None:
    """Override the repository's options, so that all tests run, in the same order each time."""
    for name, value in {**_WHOLE, **_SEEDS}.items():
        if hasattr(config.option, name):
            setattr(config.option, name, value)


@pytest.hookimpl(hookwrapper=True, tryfirst=True)
def pytest_load_initial_conftests(early_config: Any) -> Iterator[None]:
    """Switch pytest-cov off before it starts.

    It makes tests several times slower, and when too few lines are covered, a run without a failing test
    fails.
    """
    if hasattr(early_config.known_args_namespace, "no_cov"):
        early_config.known_args_namespace.no_cov = True
    yield


@pytest.hookimpl(hookwrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: Any) -> Iterator[None]:
    """Have instrumented code give other results back while a test and its fixtures run."""
    if _switch is None:
        yield
        return
    place, state = _switch
    for mark in _marked:
        _removed(f"{place}-{mark}")
    with contextlib.suppress(FileExistsError):
        os.symlink(state, place)
    yield
    _removed(place)
    for mark, tests in _marked.items():
        if _removed(f"{place}-{mark}"):
            tests.add(item.nodeid)


def _removed(path: str) -> bool:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
        return True
    return False


def _crash(report: Any) -> tuple[str, int | None]:
    crash = getattr(getattr(report, "longrepr", None), "reprcrash", None)
    if crash is not None:
        return os.path.relpath(crash.path, _root), crash.lineno
    return str(report.fspath or ""), None


def pytest_runtest_logreport(report: Any) -> None:
    if report.outcome == "failed":
        path, line = _crash(report)
        outcome = "failed" if report.when == "call" else "error"
        _note(report.nodeid, outcome, path, line, report.longreprtext)
    elif report.outcome == "skipped":
        _note(report.nodeid, "skipped")
    elif report.when == "call":
        _note(report.nodeid, "passed")


def pytest_collectreport(report: Any) -> None:
    if report.failed:
        path, line = _crash(report)
        _note(report.nodeid or "collection", "error", path, line, report.longreprtext)


def pytest_sessionfinish(session: Any) -> None:
    replaced_now = [*_look(), *plugins(session.config.pluginmanager)]
    for mark, tests in _marked.items():
        for test in tests & _seen.keys():
            _seen[test][mark] = True
    for entry in (*_seen.values(), {"end": len(_seen), "replaced": replaced_now}):
        _report.write(json.dumps(entry) + "\n")
    _report.flush()


def plugins(manager: Any) -> list[str]:
    """Return pytest's current plugins, each by its file or package, without its own ones and `conftest.py`.

    A plugin that is missing on the base was registered by the code under test.
    """
    found = set()
    for plugin in manager.get_plugins():
        is_module = type(plugin).__name__ == "module"
        package = str(plugin.__name__ if is_module else type(plugin).__module__)
        file = str(getattr(sys.modules.get(package), "__file__", None) or package)
        path = os.path.relpath(file, _root) if os.path.isabs(file) else package
        if os.path.basename(path) != "conftest.py" and not package.startswith(("_pytest", "__main__")):
            found.add(f"the plugin {package.partition('.')[0] if path.startswith('..') else path}")
    return sorted(found)


def _watch() -> Callable[[], list[str]]:
    """Record the test runner's functions; returns a function that names those replaced since."""
    # Held in local names, which code under test cannot replace through the module.
    look, compare, own = parts, replaced, ("pytest", "_pytest", "pluggy", "unittest", "builtins", "__main__")
    before = look(*own)
    return lambda: compare(before, look(*own))


_look: Callable[[], list[str]] = list


def _begin_in(folder: str, words: list[str]) -> list[str]:
    """Change to a folder of the checkout; returns pytest's arguments for there.

    The ids of tests begin at the root of the checkout as before.
    """
    if not os.path.isdir(folder):
        return words
    there = [
        os.path.relpath(word, folder) if os.path.exists(word.partition("::")[0]) else word for word in words
    ]
    os.chdir(folder)
    sys.path.insert(0, os.getcwd())
    return [f"--rootdir={_root}", *there]


def main() -> int:
    global _report, _look, _switch
    # The report is opened and greeted before any conftest.py and any test is loaded.
    _report = scenarist_path.open_report(sys.argv[1])
    _look = _watch()
    words = sys.argv[2:]
    if words[:1] == ["--switch"]:
        _switch, words = (words[1], words[2]), words[3:]
    if folder := os.environ.get("SCENARIST_TESTS_IN", ""):
        words = _begin_in(folder, words)
    sys.argv[:] = ["pytest", *words]
    return int(pytest.main(words, plugins=[sys.modules["__main__"]]))


if __name__ == "__main__":
    sys.exit(main())
