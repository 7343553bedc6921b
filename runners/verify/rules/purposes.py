"""What each file of a repository is for: the one table of tests, steps, configuration, documents and product.

The rows follow the conventions of each ecosystem's usual tools: pytest and unittest discovery, Django's
`tests.py`, Jest's `testMatch`, RSpec's `spec/`, Maven's and Gradle's `src/test`, Go's `_test.go` and
`testdata`.
"""

import fnmatch
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import PurePosixPath
from typing import Literal

from runners.git.workspaces import SHADOW

Purpose = Literal["feature", "step", "test", "fixture", "configuration", "documentation", "product"]

# A folder of tests: what lies in one and is no test itself is a helper or data of the tests.
_TEST_FOLDERS = frozenset(
    [
        *(
            "tests",
            "test",
            "__tests__",
            "__mocks__",
            "__snapshots__",
            "__fixtures__",
            "testdata",
            "test_data",
            "e2e",
        ),
        *("cypress", "golden", "goldens", "cassettes", "androidTest"),
    ]
)
# Only at the top, or for the languages whose tests lie there: elsewhere a package may well have this name.
_SPEC_FOLDERS = frozenset(["spec", "specs"])
_SPEC_SUFFIXES = (".rb", ".js", ".jsx", ".ts", ".tsx")
_CODE = frozenset(
    f".{name}"
    for name in [
        "py",
        "pyi",
        "pyx",
        "js",
        "jsx",
        "mjs",
        "cjs",
        "ts",
        "tsx",
        "mts",
        "cts",
        "vue",
        "svelte",
        "rb",
        "java",
        "kt",
        "kts",
        "groovy",
        "scala",
        "cs",
        "fs",
        "go",
        "rs",
        "php",
        "ex",
        "exs",
        "swift",
        "dart",
        "c",
        "cc",
        "cpp",
        "cxx",
        "h",
        "hpp",
        "sh",
        "bash",
        "pl",
        "lua",
        "r",
        "jl",
        "hs",
        "clj",
        "sql",
    ]
)

# Names of test files, by ecosystem. A name here makes a test of the file wherever it lies.
_TESTS: Mapping[str, tuple[str, ...]] = {
    "python": ("test_*.py", "*_test.py", "tests.py"),
    "javascript": tuple(
        f"*{mark}.{suffix}"
        for mark in (".test", ".spec", "-test", "_test", ".cy", ".e2e", ".e2e-spec", ".stories.test")
        for suffix in ("js", "jsx", "mjs", "cjs", "ts", "tsx", "mts", "cts", "vue")
    ),
    "ruby": ("*_spec.rb", "*_test.rb", "test_*.rb"),
    "jvm": tuple(
        pattern.format(suffix)
        for suffix in ("java", "kt", "groovy", "scala")
        for pattern in ("*Test.{}", "*Tests.{}", "*TestCase.{}", "*IT.{}", "*Spec.{}", "Test[A-Z]*.{}")
    ),
    "dotnet": ("*Test.cs", "*Tests.cs", "*Tests.fs", "*Specs.cs"),
    "go": ("*_test.go",),
    "rust": ("*_test.rs", "*_tests.rs", "tests.rs"),
    "php": ("*Test.php", "*Cest.php", "*.phpt"),
    "elixir": ("*_test.exs",),
    "swift": ("*Tests.swift", "*Test.swift"),
    "dart": ("*_test.dart",),
    "c": ("*_test.c", "*_test.cc", "*_test.cpp", "*_unittest.cc", "test_*.c", "test_*.cc", "test_*.cpp"),
    "shell": ("*.bats", "test_*.sh", "*_test.sh"),
    "notebook": ("test_*.ipynb",),
}
# What tests compare with, wherever it lies.
_FIXTURES = ("*.snap", "*.ambr", "*.golden", "*.approved.*", "*.snapshot", "*.cassette.y*ml")

# Files that tell tools what to do: test runners, linters, type checkers, packaging, CI, editors.
_CONFIGURATION = (
    *("conftest.py", "pytest.ini", ".pytest.ini", "pytest.toml", ".pytest.toml"),
    *("behave.ini", ".behaverc", "tox.ini", "setup.cfg", "setup.py", "pyproject.toml", "noxfile.py"),
    *(
        "sitecustomize.py",
        "usercustomize.py",
        "*.pth",
        "MANIFEST.in",
        "requirements*.txt",
        "constraints*.txt",
    ),
    *(
        "Pipfile",
        "Pipfile.lock",
        "*.lock",
        "package.json",
        "package-lock.json",
        "pnpm-*.yaml",
        "tsconfig*.json",
    ),
    *(
        "*.config.js",
        "*.config.cjs",
        "*.config.mjs",
        "*.config.ts",
        "*.config.mts",
        "*.setup.js",
        "*.setup.ts",
    ),
    *("go.mod", "go.sum", "Cargo.toml", "Gemfile", "Rakefile", "composer.json", "pom.xml", "*.gradle"),
    *(
        "*.gradle.kts",
        "Makefile",
        "makefile",
        "GNUmakefile",
        "*.mk",
        "justfile",
        "Taskfile.y*ml",
        "Dockerfile*",
    ),
    *("docker-compose*.y*ml", "compose*.y*ml", "Jenkinsfile", "Procfile", "CODEOWNERS", "*.cfg", "*.ini"),
    *("renovate.json*", "action.y*ml", "AGENTS.md", "CLAUDE.md", "GEMINI.md", "CMakeLists.txt"),
)
_DOC_SUFFIXES = frozenset([".md", ".rst", ".adoc", ".asciidoc", ".mdx", ".textile", ".org"])
_DOC_NAMES = frozenset(
    [
        *(
            "README",
            "CHANGELOG",
            "CHANGES",
            "HISTORY",
            "NEWS",
            "AUTHORS",
            "CONTRIBUTORS",
            "CONTRIBUTING",
            "LICENSE",
        ),
        *(
            "LICENCE",
            "COPYING",
            "NOTICE",
            "SECURITY",
            "CODE_OF_CONDUCT",
            "SUPPORT",
            "THANKS",
            "TODO",
            "UPGRADING",
        ),
    ]
)
_DOC_FOLDERS = frozenset(["docs", "doc", "documentation", "website", "wiki"])


def _any_of(patterns: Iterable[str]) -> re.Pattern[str]:
    return re.compile("|".join(fnmatch.translate(each) for each in patterns))


_IS_TEST = _any_of(each for names in _TESTS.values() for each in names)
_IS_FIXTURE = _any_of(_FIXTURES)
_IS_CONFIGURATION = _any_of(_CONFIGURATION)


@lru_cache(maxsize=65_536)
def purpose_of(path: str, features: str = "features") -> Purpose:
    """Return what the file at `path` (relative to the repository, with ``/``) is for, by its path alone.

    `features` is the folder of the repository's behave features. A *fixture* is a helper or data of tests and
    steps; *product* is everything that no other row describes.
    """
    place = PurePosixPath(path)
    below_features = path.startswith((f"{features}/", f"{SHADOW}/"))
    if place.suffix == ".feature":
        return "feature"
    if below_features and "steps" in place.parts and place.suffix == ".py":
        return "step"
    if path == f"{features}/environment.py":
        return "configuration"
    if _IS_FIXTURE.match(place.name):
        return "fixture"
    if _IS_TEST.match(place.name):
        return "test"
    hidden = not below_features and place.parts[0].startswith(".")
    if _IS_CONFIGURATION.match(place.name) or hidden or "requirements" in place.parts[:-1]:
        return "configuration"
    if below_features or _is_below_tests(place):
        return "fixture"
    return "documentation" if _is_documentation(place) else "product"


def is_judge(path: str, features: str = "features") -> bool:
    """Return whether the file helps to judge a change: a feature, step or test, a helper or data of them,
    `conftest.py`.
    """
    judging = purpose_of(path, features) in ("feature", "step", "test", "fixture")
    return judging or PurePosixPath(path).name == "conftest.py"


def is_product(path: str, features: str = "features") -> bool:
    """Return whether users of the repository get the file: no test, step, fixture, configuration or
    document.
    """
    return purpose_of(path, features) == "product"


def is_code(path: str) -> bool:
    """Return whether the file is source code, by its suffix."""
    return PurePosixPath(path).suffix in _CODE


def _is_below_tests(place: PurePosixPath) -> bool:
    folders = place.parts[:-1]
    if not _SPEC_FOLDERS.isdisjoint(folders):
        return folders[0] in _SPEC_FOLDERS or place.suffix in _SPEC_SUFFIXES
    return not _TEST_FOLDERS.isdisjoint(folders)


def _is_documentation(place: PurePosixPath) -> bool:
    """Return whether a file is a document by its name, at the top, or in a folder of documents; data of a
    package is none.
    """
    if place.suffix in _CODE:
        return False
    if place.name.partition(".")[0].upper() in _DOC_NAMES:
        return place.suffix in _DOC_SUFFIXES or place.suffix in ("", ".txt")
    below_documents = place.parts[0] in _DOC_FOLDERS
    if place.suffix in _DOC_SUFFIXES:
        return below_documents or len(place.parts) == 1
    return below_documents
