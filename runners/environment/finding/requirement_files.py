"""Requirement files: which of them belong to developing and testing, and what they include."""

import re
from collections.abc import Iterable
from pathlib import PurePosixPath

from runners.environment.finding.parts import Part
from runners.environment.finding.sources import Sources, join, parent

_NAME = re.compile(r"(^|.*[-_.])(requirements?|reqs?)([-_.].*)?\.(txt|in|pip)$", re.I)
_ALL_IN = ("requirements", "requirement", "reqs", "tests/requirements", "test/requirements", ".requirements")
_SOME_IN = ("", "tests", "test", "testing", "ci", ".ci", "dev", "tools")
_OTHER_USES = frozenset(
    (
        *(
            "doc",
            "docs",
            "rtd",
            "readthedocs",
            "sphinx",
            "lint",
            "linting",
            "linters",
            "flake8",
            "ruff",
            "black",
        ),
        *("style", "format", "typing", "types", "mypy", "pyright", "release", "build", "deploy", "prod"),
        *("production", "publish", "staging", "heroku", "docker", "bench", "benchmark", "benchmarks", "perf"),
        *("example", "examples", "tutorial", "precommit", "security", "audit", "min", "minimum", "minimal"),
        *("lowest", "oldest", "constraints", "constraint", "gpu", "cuda", "wheel", "cibw", "towncrier"),
    )
)
_PYTHON = re.compile(r"^py(?:thon)?[-.]?(\d)\.?(\d{1,2})$", re.I)
_OPTION = re.compile(r"^\s*(?:-(?P<short>[rc])\s*|--(?:requirement|constraint)[=\s]\s*)(?P<path>\S+)")


def requirement_parts(sources: Sources, version: tuple[int, int]) -> tuple[list[Part], list[Part]]:
    """The requirement files for `version` of Python: those for development and tests, and those for other
    uses.

    What the files include with ``-r`` and ``-c`` is read too, so that it is among the sources used.
    """
    wanted: list[Part] = []
    others: list[Part] = []
    for path in _candidates(sources):
        included(sources, path)
        part = Part(source=path, words=("-r", path), needed=path == "requirements.txt")
        (wanted if _is_for_tests(path, version) else others).append(part)
    return wanted, others


def _candidates(sources: Sources) -> list[str]:
    found = [
        path
        for path in sources.paths
        if path.endswith((".txt", ".in", ".pip"))
        and (parent(path) in _ALL_IN or (parent(path) in _SOME_IN and _NAME.match(PurePosixPath(path).name)))
        and "constraint" not in path.lower()
    ]
    compiled = {path.removesuffix(".txt") for path in found if path.endswith(".txt")}
    return sorted(path for path in found if path.endswith(".txt") or _stem(path) not in compiled)


def _stem(path: str) -> str:
    return path.rpartition(".")[0]


def _is_for_tests(path: str, version: tuple[int, int]) -> bool:
    words = re.split(r"[-_/]|\.(?!\d)", _stem(path).lower())
    if "".join(words).find("precommit") >= 0 or _OTHER_USES & set(words):
        return False
    named = [match for word in words if (match := _PYTHON.match(word))]
    return all((int(each[1]), int(each[2])) == version for each in named)


def included(sources: Sources, path: str) -> list[str]:
    """`path` and all the files that it includes, in the order in which they are read."""
    seen: list[str] = []
    waiting = [path]
    while waiting:
        here = waiting.pop(0)
        if here in seen or here not in sources:
            continue
        seen.append(here)
        waiting += [join(parent(here), name) for name in _names(sources.text(here).splitlines())]
    return seen


def _names(lines: Iterable[str]) -> list[str]:
    return [match["path"].strip("\"'") for line in lines if (match := _OPTION.match(line))]
