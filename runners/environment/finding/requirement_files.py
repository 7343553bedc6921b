"""Find the requirement files for development and tests, what they include, and conda's environment files."""

import re
from collections.abc import Iterable
from pathlib import PurePosixPath

import yaml

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
    """Return the requirement files for `version` of Python: those for development and tests, and those for
    other uses.

    Files that they include with ``-r`` and ``-c`` are read too, so that they are among the sources used.
    """
    wanted: list[Part] = []
    others: list[Part] = []
    for path in _candidates(sources):
        files = included(sources, path)
        part = Part(
            source=path,
            words=("-r", path),
            needed=path == "requirements.txt",
            unlocked=_of_registries(sources, files),
        )
        (wanted if _is_for_tests(path, version) else others).append(part)
    # If the files do not fit together, the first ones are installed as they are.
    return sorted(wanted, key=lambda part: (not part.needed, _rank(part.source))), others


def _of_registries(sources: Sources, files: Iterable[str]) -> tuple[str, ...]:
    """The requirements in files of which some come from git or a URL, without these; else nothing.

    The set-up reaches package registries alone.
    """
    lines = [line.split(" #")[0].strip() for path in files for line in sources.text(path).splitlines()]
    wanted = [line for line in lines if line and not line.startswith(("#", "-", "."))]
    if any("--hash" in line or line.endswith("\\") for line in lines):
        return ()
    kept = tuple(line for line in wanted if "://" not in line)
    return kept if any("://" in line for line in lines) else ()


def _rank(path: str) -> int:
    """Return the place of a file among those for development: first the ones for tests alone."""
    words = set(re.split(r"[-_/.]", _stem(path).lower()))
    return (
        2 if not words & {"test", "tests", "testing", "dev", "develop"} else 1 if words & {"ci", "dev"} else 0
    )


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
    """Return `path` and all the files that it includes, in the order in which they are read."""
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


_CONDA = re.compile(r"(environment|conda)[\w.-]*\.ya?ml")
_CONDA_LINE = re.compile(r"(?:[\w./-]+::)?([A-Za-z][\w.-]*)\s*(.*)")
_CONDA_OWN = re.compile(r"python|pip|conda|mamba|setuptools|wheel|lib\w+|\w*compilers?|gcc|make|nodejs|git")
# Packages that have another name in the Python package index.
_CONDA_NAMES = {"pytorch": "torch", "pytables": "tables", "psycopg2": "psycopg2-binary"}


def conda_parts(sources: Sources) -> list[Part]:
    """Return the packages in the root's environment files of conda, a part for each.

    https://docs.conda.io/projects/conda/en/stable/user-guide/tasks/manage-environments.html
    """
    found: dict[str, Part] = {}
    for path in sorted(filter(_CONDA.fullmatch, sources.below(""))):
        try:
            data = yaml.safe_load(sources.text(path))
        except (yaml.YAMLError, RecursionError, ValueError):
            continue
        listed = data.get("dependencies") if isinstance(data, dict) else None
        for each in listed if isinstance(listed, list) else ():
            lines = each.get("pip") or () if isinstance(each, dict) else [_from_conda(str(each))]
            for line in map(str, lines):
                # The name alone is tried where conda's version is not in the index.
                name = re.split(r"[<>=!~ \[;@]", line)[0]
                if line and not line.startswith(("-", ".")):
                    found.setdefault(line, Part(source=path, words=(line,), unlocked=(name,)))
    return list(found.values())


def _from_conda(line: str) -> str:
    """Return a line of conda (``channel::name=1.2=build``) as a requirement; empty if it is no Python
    package.
    """
    match = _CONDA_LINE.fullmatch(line.strip())
    if match is None or _CONDA_OWN.fullmatch(match[1]):
        return ""
    name, said = _CONDA_NAMES.get(match[1], match[1]), match[2].strip()
    if exact := re.fullmatch(r"=?\s*(\d[\w.]*)(?:=\S*)?", said):
        return f"{name}=={exact[1].rstrip('.')}.*"
    is_range = re.fullmatch(r"[<>=!~][\d\s.,<>=!~*]*", said)
    return name + re.sub(r"\s+", "", said) if is_range else name
