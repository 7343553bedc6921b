"""Read the settings of tests and checks from files that also configure other things."""

import configparser
import fnmatch
import json
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

_CHECKERS = (
    *(
        "pytest",
        "behave",
        "coverage",
        "tox",
        "nox",
        "ruff",
        "mypy",
        "black",
        "isort",
        "flake8",
        "pylint",
        "pyright",
    ),
    *(
        "basedpyright",
        "bandit",
        "pydocstyle",
        "pycodestyle",
        "ty",
        "pytype",
        "codespell",
        "vulture",
        "deptry",
    ),
    *("importlinter", "interrogate", "mutmut", "poe", "taskipy", "doit", "unittest", "nose", "nose2", "ward"),
    *("pytest-watcher", "pytest_env", "cov", "djlint", "refurb", "slipcover", "testpaths"),
)
_INI_SECTIONS = (
    *(
        "tool:pytest",
        "pytest",
        "behave*",
        "coverage:*",
        "flake8*",
        "mypy*",
        "isort*",
        "pylint*",
        "pycodestyle",
    ),
    *("pydocstyle", "aliases", "nosetests", "unittest", "tool:*", "bandit"),
)
_NPM_KEYS = (
    *("scripts", "jest", "mocha", "vitest", "ava", "tap", "nyc", "c8", "cypress", "babel", "eslintConfig"),
    *("eslintIgnore", "prettier", "lint-staged", "husky", "xo", "standard", "cucumber", "wireit"),
)
_BUILD_FILES = (
    "pom.xml",
    "*.gradle",
    "*.gradle.kts",
    "vite.config.*",
    "tsconfig*.json",
    "Rakefile",
    "BUILD",
    "BUILD.bazel",
)
_ABOUT_TESTS = re.compile(r"(?i)test|surefire|failsafe|exclude|skip")
_TEST_DEPENDENCY = re.compile(
    r"(?i)testImplementation|testCompile|testRuntime|<scope>\s*test|androidTestImpl"
)
SettingsTable = Mapping[str, object]
_UNREADABLE = "what cannot be read"


def like(name: str, patterns: Iterable[str]) -> bool:
    """Return whether a name matches one of the patterns of `fnmatch`, by case."""
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


def reader_of(name: str) -> Callable[[bytes | None], SettingsTable] | None:
    """Return the function that reads the settings of tests and checks from a file of this name, or None."""
    exact: Mapping[str, Callable[[bytes | None], SettingsTable]] = {
        "pyproject.toml": _pyproject,
        "setup.cfg": _ini,
        "tox.ini": _ini,
        "pytest.ini": _ini,
        ".pytest.ini": _ini,
        "package.json": _npm,
        "Cargo.toml": _cargo,
    }
    return exact.get(name) or (_lines_about_tests if like(name, _BUILD_FILES) else None)


def settings_differ(old: SettingsTable, new: SettingsTable, configured: bool) -> bool:
    """Return whether settings changed by more than new markers.

    `configured` says whether the base configures pytest anywhere.
    """
    before, after = dict(old), dict(new)
    markers = [set(_words(each.pop("markers", ()))) for each in (before, after)]
    if not configured and after.get("pytest") == {}:
        del after["pytest"]  # a first table that holds markers alone
    return before != after or not markers[0] <= markers[1]


def _words(value: object) -> list[str]:
    return value.split("\n") if isinstance(value, str) else [str(each) for each in _list(value)]


def _list(value: object) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else []


def _table(value: object) -> dict[str, Any]:
    return dict(value) if isinstance(value, dict) else {}


def _pyproject(text: bytes | None) -> SettingsTable:
    try:
        data = tomllib.loads((text or b"").decode())
    except ValueError:
        return {_UNREADABLE: text}
    tool = _table(data.get("tool"))
    found: dict[str, object] = {name: tool[name] for name in _CHECKERS if name in tool}
    options = dict(_table(_table(found.get("pytest")).get("ini_options")))
    if "pytest" in found:
        found["markers"] = options.pop("markers", ())
        rest = {key: value for key, value in _table(found["pytest"]).items() if key != "ini_options"}
        found["pytest"] = {**rest, **options}
    plugins = _table(_table(data.get("project")).get("entry-points")).get("pytest11")
    poetry = _table(_table(tool.get("poetry")).get("plugins")).get("pytest11")
    scripts = [_table(tool.get(name)).get("scripts") for name in ("pdm", "rye")]
    hatch = _table(tool.get("hatch"))
    found["plugins"] = [plugins, poetry, scripts, hatch.get("envs")]
    # Code of the repository that runs when it is built or installed.
    build = _table(hatch.get("build"))
    hooks = [
        build.get("hooks"),
        *(_table(each).get("hooks") for each in _table(build.get("targets")).values()),
    ]
    found["build"] = [hooks, _table(data.get("build-system")).get("backend-path")]
    return found


def _ini(text: bytes | None) -> SettingsTable:
    parser = configparser.RawConfigParser(strict=False)
    try:
        parser.read_string((text or b"").decode())
    except (configparser.Error, ValueError):
        return {_UNREADABLE: text}
    found: dict[str, object] = {}
    for section in parser.sections():
        options = dict(parser.items(section))
        if section in ("pytest", "tool:pytest"):
            found["markers"] = [line.strip() for line in options.pop("markers", "").split("\n")]
            found["pytest"] = options
        elif section == "options.entry_points":
            found[section] = options.get("pytest11")
        elif like(section, _INI_SECTIONS):
            found[section] = options
    return found


def _npm(text: bytes | None) -> SettingsTable:
    try:
        data = _table(json.loads(text or b"{}"))
    except (ValueError, RecursionError):
        return {_UNREADABLE: text}
    return {key: data[key] for key in _NPM_KEYS if key in data}


def _cargo(text: bytes | None) -> SettingsTable:
    """Return what switches a package's tests off:
    https://doc.rust-lang.org/cargo/reference/cargo-targets.html.
    """
    try:
        data = tomllib.loads((text or b"").decode())
    except ValueError:
        return {_UNREADABLE: text}
    package = _table(data.get("package"))
    targets = [
        data.get("lib"),
        *_list(data.get("bin")),
        *_list(data.get("test")),
        *_list(data.get("example")),
    ]
    return {
        "found": {key: value for key, value in package.items() if key.startswith("auto")},
        "targets": [{**_table(each), "path": None} for each in targets if "test" in _table(each)],
        "tests": data.get("test"),
        "profile": _table(data.get("profile")).get("test"),
    }


def _lines_about_tests(text: bytes | None) -> SettingsTable:
    lines = [line.strip() for line in (text or b"").decode(errors="replace").splitlines()]
    found = [line for line in lines if _ABOUT_TESTS.search(line) and not _TEST_DEPENDENCY.search(line)]
    return {"lines": found}
