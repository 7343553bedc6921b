"""Whether the change of a file changes how a repository's tests and checks are run, or what counts as passed.

Files that configure other things too are compared by the tables, sections and keys that matter. What only
adds and can hide nothing is no such change: a new marker, the fixtures of a new folder of tests.
"""

import ast
import configparser
import fnmatch
import json
import re
import shlex
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

# Files that may hold settings of pytest.
_PYTEST_OWN = ("pytest.ini", ".pytest.ini", "pytest.toml", ".pytest.toml")
PYTEST_FILES = frozenset([*_PYTEST_OWN, "pyproject.toml", "tox.ini", "setup.cfg"])
# Files that configure test runners, linters or the interpreter and nothing else, by name.
_NAMES = (
    *("conftest.py", "pytest.ini", ".pytest.ini", "pytest.toml", ".pytest.toml", "behave.ini", ".behaverc"),
    *(
        ".coveragerc",
        "nose2.cfg",
        "unittest.cfg",
        ".noserc",
        "noxfile.py",
        "sitecustomize.py",
        "usercustomize.py",
    ),
    *("*.pth", "*.egg-link", "*.pyc", "*.pyo", "entry_points.txt", "pyvenv.cfg"),
    # Variables for tests and programs, and where tools fetch packages from or what they run on the way.
    *(".env", ".env.*", ".flaskenv", ".npmrc", ".yarnrc*", ".pnpmfile.*", "pip.conf", ".pypirc", "uv.toml"),
    *("bunfig.toml", ".bazelrc", "pants.toml", "mise.toml", ".mise.toml", "gradle-wrapper.*"),
    *(
        "ruff.toml",
        ".ruff.toml",
        ".flake8",
        "mypy.ini",
        ".mypy.ini",
        ".pylintrc",
        "pylintrc*",
        "pyrightconfig.json",
    ),
    *(".isort.cfg", ".bandit", "bandit.y*ml", ".pycodestyle", ".pydocstyle", ".importlinter", ".codespellrc"),
    *(
        "jest.config.*",
        "jest.setup.*",
        "setupTests.*",
        "vitest.config.*",
        "vitest.setup.*",
        "vitest.workspace.*",
    ),
    *("karma.conf.*", "playwright.config.*", "cypress.config.*", "cypress.json", "ava.config.*", ".mocharc*"),
    *(".nycrc*", ".c8rc*", ".taprc", "babel.config.*", ".babelrc*", ".swcrc", "wdio.conf.*", "jasmine.json"),
    *("cucumber.js", "cucumber.mjs", "cucumber.cjs", "cucumber.json", "cucumber.y*ml", ".cucumber*"),
    *(".eslintrc*", "eslint.config.*", ".eslintignore", ".prettierrc*", ".prettierignore", "biome.json*"),
    *(
        ".stylelintrc*",
        "tslint.json",
        ".golangci.*",
        "clippy.toml",
        ".clippy.toml",
        "rustfmt.toml",
        "nextest.toml",
    ),
    *(
        ".rspec",
        "spec_helper.rb",
        "rails_helper.rb",
        "test_helper.rb",
        ".rubocop*.yml",
        "phpunit.xml*",
        "phpstan.neon*",
    ),
    *(
        "checkstyle*.xml",
        "detekt*.yml",
        "junit-platform.properties",
        "testng.xml",
        ".editorconfig-checker.json",
    ),
)
# Files of those names that are only there to be copied.
_SAMPLES = ("*.example", "*.sample", "*.template", "*.dist", "*.defaults", "*.tpl")
_FOLDERS = ("*.egg-info", "*.dist-info", "__pycache__", "node_modules", ".cargo", ".mvn")
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
# Words in any file that bring a plugin into pytest, or options to it.
_PLUGIN_WORDS = re.compile(
    r"\bpytest_plugins\b|\bPYTEST_(?:ADDOPTS|PLUGINS)\b|\bpluginmanager\b|\bpytest11\b"
)


def configures(
    path: str,
    before: bytes | None,
    after: bytes | None,
    features: str,
    *,
    commands: Sequence[str] = (),
    new_folder: bool = False,
    configured: bool = True,
) -> bool:
    """Whether a file's change from `before` to `after` (None: not there) changes how tests and checks are
    run.

    `features` is the folder of the features, `commands` the lines by which the repository's own checks and
    tests are run. `new_folder` is whether the base has no file in the folder of `path`, and `configured`
    whether the base configures pytest anywhere.
    """
    place = PurePosixPath(path)
    if path == f"{features}/environment.py" or any(_like(part, _FOLDERS) for part in place.parts[:-1]):
        return True
    if place.name == "conftest.py" and before is None and new_folder:
        return not _only_fixtures(after or b"")
    if (reader := _reader_of(place.name)) is not None:
        return _differ(reader(before), reader(after), configured) or _runs(path, before, after, commands)
    return (
        (_like(place.name, _NAMES) and not _like(place.name, _SAMPLES))
        or _switches(after) > _switches(before)
        or (place.suffix == ".py" and _plugin_words(after) > _plugin_words(before))
        or _runs(path, before, after, commands)
    )


def may_be_run(path: str) -> bool:
    """Whether the file could be one that a command runs, or runs targets of."""
    place = PurePosixPath(path)
    scripts = place.suffix in (".sh", ".bash") or place.parts[0] in _TOOL_FOLDERS
    return scripts or _like(place.name, _RUNNERS_FILES)


def configures_pytest(path: str, content: bytes) -> bool:
    """Whether a file of the base holds settings of pytest."""
    name = PurePosixPath(path).name
    if name in _PYTEST_OWN:
        return True
    settings = _reader_of(name)
    return settings is not None and "pytest" in settings(content)


Settings = Mapping[str, object]
_UNREADABLE = "what cannot be read"


def _like(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


def _reader_of(name: str) -> Callable[[bytes | None], Settings] | None:
    """What reads the settings that matter out of a file of this name; None where the file has no such
    reader.
    """
    exact: Mapping[str, Callable[[bytes | None], Settings]] = {
        "pyproject.toml": _pyproject,
        "setup.cfg": _ini,
        "tox.ini": _ini,
        "pytest.ini": _ini,
        ".pytest.ini": _ini,
        "package.json": _npm,
        "Cargo.toml": _cargo,
    }
    return exact.get(name) or (_lines_about_tests if _like(name, _BUILD_FILES) else None)


def _differ(old: Settings, new: Settings, configured: bool) -> bool:
    """Whether settings changed by more than markers that are new."""
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


def _pyproject(text: bytes | None) -> Settings:
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


def _ini(text: bytes | None) -> Settings:
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
        elif _like(section, _INI_SECTIONS):
            found[section] = options
    return found


def _npm(text: bytes | None) -> Settings:
    try:
        data = _table(json.loads(text or b"{}"))
    except (ValueError, RecursionError):
        return {_UNREADABLE: text}
    return {key: data[key] for key in _NPM_KEYS if key in data}


def _cargo(text: bytes | None) -> Settings:
    """What switches a package's tests off: https://doc.rust-lang.org/cargo/reference/cargo-targets.html."""
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


def _lines_about_tests(text: bytes | None) -> Settings:
    lines = [line.strip() for line in (text or b"").decode(errors="replace").splitlines()]
    found = [line for line in lines if _ABOUT_TESTS.search(line) and not _TEST_DEPENDENCY.search(line)]
    return {"lines": found}


def _only_fixtures(source: bytes) -> bool:
    """Whether a new `conftest.py` holds only imports, constants, fixtures and helpers: no hook and no
    plugin.
    """
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return not _plugin_words(source) and all(map(_is_harmless, tree.body))


def _is_harmless(node: ast.stmt) -> bool:
    match node:
        case ast.Import() | ast.ImportFrom() | ast.ClassDef() | ast.Expr(value=ast.Constant()):
            return True
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
            return not name.startswith("pytest_")
        case ast.Assign(targets=targets):
            names = [target.id for target in targets if isinstance(target, ast.Name)]
            return len(names) == len(targets) and not any(
                name.startswith(("pytest_", "collect_ignore")) for name in names
            )
        case ast.AnnAssign(target=ast.Name(id=name)):
            return not name.startswith(("pytest_", "collect_ignore"))
        case ast.If(body=body, orelse=orelse):  # `if TYPE_CHECKING:`
            return all(map(_is_harmless, (*body, *orelse)))
    return False


# What switches a checker off for a whole file, in a line of its own.
_SWITCHES = re.compile(
    r"^\s*(?:#\s*(?:(?:ruff|flake8)\s*:\s*noqa|mypy\s*:\s*ignore-errors(?:\s*=\s*True)?|pylint\s*:\s*skip-file|"
    r"type\s*:\s*ignore|pyre-ignore-all-errors|nosec\s*:\s*file|rubocop\s*:\s*disable\s+all)|"
    r"//\s*(?:@ts-nocheck|eslint-disable|tslint:disable|nolint)|/\*\s*(?:eslint-disable|tslint:disable)\s*\*/)\s*$",
    re.M,
)


def _switches(text: bytes | None) -> int:
    return len(_SWITCHES.findall((text or b"").decode(errors="replace")))


def _plugin_words(text: bytes | None) -> int:
    return len(_PLUGIN_WORDS.findall((text or b"").decode(errors="replace")))


# Programs that run what a file says, and the names of the file.
_RUNS = (
    ("just", ("justfile", "Justfile", ".justfile")),
    ("task", ("Taskfile*",)),
    ("invoke", ("tasks.py",)),
    ("inv", ("tasks.py",)),
    ("tox", ("tox.ini", "tox.toml")),
    ("rake", ("Rakefile",)),
    ("doit", ("dodo.py",)),
    ("fab", ("fabfile.py",)),
)
_RUNNERS_FILES = ("*akefile", "*.mk", *(name for _, names in _RUNS for name in names))


def _runs(path: str, before: bytes | None, after: bytes | None, commands: Sequence[str]) -> bool:
    """Whether one of the repository's commands runs the file, or what was changed in it."""
    name = PurePosixPath(path).name
    for line in commands:
        try:
            words = shlex.split(line, comments=False)
        except ValueError:
            words = line.split()
        if before is not None and path in _scripts(words):
            return True
        programs = {PurePosixPath(word).name for word in words}
        if programs & {"make", "gmake"} and _like(name, ("*akefile", "*.mk")):
            goals = [word for word in words if re.fullmatch(r"[A-Za-z0-9_.%/-]+", word) and word != "make"]
            if _recipes(before, goals) != _recipes(after, goals, known=before):
                return True
        if before is not None and any(program in programs and _like(name, files) for program, files in _RUNS):
            return True
    return False


_INTERPRETERS = frozenset(
    ["bash", "sh", "python", "python3", "node", "ruby", "perl", "php", "env", "exec", "time"]
)
_TOOL_FOLDERS = frozenset(["scripts", "script", "tools", "ci", "dev", "hack", "build", "bin", "utils"])


def _scripts(words: Sequence[str]) -> set[str]:
    """The files that a command line runs, and that are tools by their place or suffix: not the program
    itself."""
    found: set[str] = set()
    starts = True
    for word in words:
        if word in ("&&", "||", ";", "|", "("):
            starts = True
        elif starts:
            found.add(word.removeprefix("./"))
            starts = PurePosixPath(word).name in _INTERPRETERS or "=" in word
    return {
        word
        for word in found
        if word.endswith((".sh", ".bash")) or _TOOL_FOLDERS.intersection(PurePosixPath(word).parts[:1])
    }


# A variable that make or the shell give a meaning to.
_MEANINGFUL = frozenset(["SHELL", "MAKEFLAGS", "MAKEFILES", "PATH", "BASH_ENV", "ENV", "CDPATH"])
_VARIABLE = re.compile(r"^(?:export\s+)?([A-Za-z_]\w*)\s*(?:[:?]|::)?=")
_RULE = re.compile(r"^([^\s#:=][^:=#]*?)\s*::?(?!=)\s*([^#\n]*)")


def _recipes(text: bytes | None, goals: Sequence[str], known: bytes | None = None) -> object:
    """What `make` reads for `goals` (without any, the first target): their rules, what these need, variables.

    A variable that the text `known` does not name changes nothing there.
    """
    rules: dict[str, list[str]] = {}
    needs: dict[str, list[str]] = {}
    rest: list[str] = []
    current: list[str] = []
    for line in (text or b"").decode(errors="replace").splitlines():
        if rule := _RULE.match(line):
            current = rule[1].split()
            for target in current:
                rules.setdefault(target, []).append(line)
                needs.setdefault(target, []).extend(rule[2].split())
        elif line.startswith("\t") and current:
            for target in current:
                rules[target].append(line)
        elif line.strip() and not line.lstrip().startswith("#"):
            current = []
            rest.append(line)
    usual = [target for target in rules if not target.startswith(".")][:1]
    wanted = [goal for goal in goals if goal in rules] or usual
    seen: dict[str, list[str]] = {}
    while wanted:
        target = wanted.pop()
        if target not in seen and target in rules:
            seen[target] = rules[target]
            wanted += needs[target]
    return seen, [line for line in rest if known is None or not _is_new(line, known)]


def _is_new(line: str, known: bytes) -> bool:
    """Whether a line of a makefile sets a variable that its text before does not name."""
    variable = _VARIABLE.match(line)
    return variable is not None and variable[1] not in _MEANINGFUL and variable[1].encode() not in known
