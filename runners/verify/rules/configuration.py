"""Find out whether the change of a file changes how tests and checks are run, or what counts as passed.

Files that also configure other things are compared by the tables, sections and keys that matter. Additions
that cannot hide anything do not count: a new marker, the fixtures of a new folder of tests.
"""

import ast
import re
from collections.abc import Sequence
from pathlib import PurePosixPath

from runners.verify.rules.run_by_commands import RUNNER_FILES, TOOL_FOLDERS, runs_it
from runners.verify.rules.settings_files import like, reader_of, settings_differ

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
    """Return whether a file's change from `before` to `after` (None: not there) changes how tests and checks
    are run.

    `features` is the folder of the features, `commands` are the lines that run the repository's own checks
    and tests. `new_folder` is whether the base has no file in the folder of `path`, and `configured` whether
    the base configures pytest anywhere.
    """
    place = PurePosixPath(path)
    if path == f"{features}/environment.py" or any(like(part, _FOLDERS) for part in place.parts[:-1]):
        return True
    if place.name == "conftest.py" and before is None and new_folder:
        return not _only_fixtures(after or b"")
    if (reader := reader_of(place.name)) is not None:
        return settings_differ(reader(before), reader(after), configured) or runs_it(
            path, before, after, commands
        )
    return (
        (like(place.name, _NAMES) and not like(place.name, _SAMPLES))
        or _switches(after) > _switches(before)
        or (place.suffix == ".py" and _plugin_words(after) > _plugin_words(before))
        or runs_it(path, before, after, commands)
    )


def may_be_run(path: str) -> bool:
    """Return whether a command may run the file, or targets in it."""
    place = PurePosixPath(path)
    scripts = place.suffix in (".sh", ".bash") or place.parts[0] in TOOL_FOLDERS
    return scripts or like(place.name, RUNNER_FILES)


def configures_pytest(path: str, content: bytes) -> bool:
    """Return whether a file of the base contains settings of pytest."""
    name = PurePosixPath(path).name
    if name in _PYTEST_OWN:
        return True
    settings = reader_of(name)
    return settings is not None and "pytest" in settings(content)


def _only_fixtures(source: bytes) -> bool:
    """Return whether a new `conftest.py` has only imports, constants, fixtures and helpers: no hook and no
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
