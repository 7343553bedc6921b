"""Find out what tox and nox install before they run a project's tests."""

import ast
import configparser
import json
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from gherkin.values import Frozen
from runners.environment.finding.parts import Part
from runners.environment.finding.sources import Sources, table
from runners.sandbox.bubblewrap import WORKSPACE

# tox itself resolves its configuration; the plugins are those that change how dependencies are named.
READ_TOX = (
    "uv tool run --quiet --from tox --with tox-uv tox config "
    "-k env_name deps extras dependency_groups set_env pass_env base_python commands"
)
LIST_NOX = "uv tool run --quiet --from nox nox --list-sessions --json"
_FREEZE = "uv pip freeze --quiet --exclude-editable --python"
_NO_TESTS = re.compile(
    r"lint|flake8|ruff|style|format|fmt|doc|mypy|typing|type|pre-?commit|build|release|publish|pkg|package|"
    r"check|isort|black|clean|coverage|manifest|changelog|changes|bandit|twine|dev$|devel|main$|master|nightly|latest|pypy|min|oldest"
)
_TESTS = re.compile(
    r"\b(pytest|py\.test|unittest|behave|nose2?|trial|stestr|zope-testrunner|manage\.py|django-admin|runtests|test)\b"
)
# tox sets these for each environment; they say nothing of the project.
_OWN = re.compile(
    r"PIP_|TOX|VIRTUALENV|PYTHONHASHSEED|PYTHONIOENCODING|UV_|COLUMNS|LINES|CI$|GITHUB_|HOME$|PATH$|TMP|TEMP|COVERAGE_"
)


class ToxEnvironment(Frozen):
    """An environment of tox, as ``tox config`` shows it."""

    name: str
    parts: tuple[Part, ...]
    extras: tuple[str, ...]
    groups: tuple[str, ...]
    variables: dict[str, str]
    passed: tuple[str, ...]


def has_tox(sources: Sources) -> bool:
    """Return whether the root has a configuration of tox."""
    return (
        "tox.toml" in sources
        or sources.ini("tox.ini").has_section("tox")
        or sources.ini("tox.ini").has_section("testenv")
        or sources.ini("setup.cfg").has_section("tox:tox")
        or bool(table(sources.toml("pyproject.toml"), "tool", "tox"))
    )


def tox_environment(said: str, version: Sequence[int]) -> ToxEnvironment | None:
    """Return the environment that runs the tests with Python `version`, from the output of `READ_TOX`, or
    None.
    """
    parser = configparser.ConfigParser(interpolation=None, strict=False, delimiters=("=",))
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    start = said.find("[testenv:")
    try:
        parser.read_string(said[start:] if start >= 0 else "")
    except configparser.Error:
        return None
    best: tuple[tuple[int, ...], str] | None = None
    for number, section in enumerate(parser.sections()):
        name = section.removeprefix("testenv:")
        if not section.startswith("testenv:") or _NO_TESTS.search(name):
            continue
        if not _is_for(name, parser.get(section, "base_python", fallback=""), version):
            continue
        commands = parser.get(section, "commands", fallback="")
        place = "http" in parser.get(section, "deps", fallback="") or "git+" in parser.get(
            section, "deps", fallback=""
        )
        rank = (int(bool(_TESTS.search(commands))), int(not place), number)
        best = max(best, (rank, section)) if best else (rank, section)
    if best is None:
        return None
    section = best[1]

    def lines(key: str) -> list[str]:
        return [line.strip() for line in parser.get(section, key, fallback="").splitlines() if line.strip()]

    name = section.removeprefix("testenv:")
    words = [tuple(_absolute(shlex.split(line, comments=True))) for line in lines("deps")]
    parts = tuple(Part(source=f"tox's `{name}`", words=each) for each in words if each)
    pairs = (line.partition("=") for line in lines("set_env"))
    variables = {
        key.strip(): value.strip() for key, _, value in pairs if key.strip() and not _OWN.match(key.strip())
    }
    extras = [each for line in lines("extras") for each in re.split(r"[,\s]+", line)]
    return ToxEnvironment(
        name=name,
        parts=parts,
        extras=tuple(extras),
        groups=tuple(lines("dependency_groups")),
        variables=variables,
        passed=tuple(each for each in lines("pass_env") if each != "#"),
    )


def _is_for(name: str, base: str, version: Sequence[int]) -> bool:
    """Return whether an environment is for this Python, by its factor, else by its base."""
    factor = re.search(r"(?:^|-)py(?:thon)?3?\.?(\d{1,2})?(?=-|$)", name)
    if factor and factor[1]:
        return int(factor[1].removeprefix("3") or 3) == version[1]
    asked = re.findall(r"(?:py|python)?3\.?(\d{1,2})\b", base)
    return not asked or version[1] in map(int, asked) or bool(factor)


def _absolute(words: Sequence[str]) -> list[str]:
    """Return the words of one line of `deps` for ``uv pip install``; none for the project itself."""
    if not words:
        return []
    first = words[0]
    for flag in ("-r", "-c"):
        if first == flag and len(words) > 1:
            return [flag, words[1]]
        if first.startswith(flag) and len(first) > len(flag) and not first.startswith("--"):
            return [flag, first.removeprefix(flag)]
    if first in ("-e", "--editable") or first.startswith((".", "/", "-e", WORKSPACE)):
        return []
    return [] if first.startswith("-") else [" ".join(words)]


def make_tox(name: str) -> str:
    """Return the command line that makes tox's environment `name` and prints what it contains."""
    run = "uv tool run --quiet --from tox --with tox-uv tox run -q --notest --skip-pkg-install"
    place = shlex.quote(f"/env/tox/{name}/bin/python")
    return f"{run} --workdir /env/tox -e {shlex.quote(name)} && {_FREEZE} {place}"


def nox_session(said: str, version: Sequence[int]) -> str:
    """Return the session of nox that runs the tests with Python `version`, from the output of `LIST_NOX`,
    or an empty text.
    """
    try:
        listed = json.loads(said[said.find("[{") :])
        sessions = [(str(each["session"]), str(each["name"]), each.get("python")) for each in listed]
    except (ValueError, TypeError, KeyError, AttributeError):
        return ""
    dotted = ".".join(map(str, version[:2]))
    fitting = [
        (session, name)
        for session, name, python in sessions
        if not _NO_TESTS.search(name) and str(python or dotted) == dotted
    ]
    fitting.sort(key=lambda each: "test" not in each[1])
    return fitting[0][0] if fitting else ""


def make_nox(session: str) -> str:
    """Return the command line that makes the environment of a nox session and prints what it contains."""
    folder = re.sub(r"[^\w-]+", "-", session).strip("-").lower()
    run = "uv tool run --quiet --from nox nox --install-only --envdir /env/nox"
    return f"{run} --sessions {shlex.quote(session)} >&2 && {_FREEZE} /env/nox/{folder}/bin/python"


def _nox_tests(sources: Sources) -> tuple[list[ast.FunctionDef], dict[str, ast.AST]]:
    """Return the sessions of noxfile.py that run tests, and the names that it gives to values at its top."""
    try:
        tree = ast.parse(sources.text("noxfile.py"))
    except (SyntaxError, ValueError, RecursionError):
        return [], {}
    constants: dict[str, ast.AST] = {
        target.id: node.value
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.decorator_list]
    return [each for each in functions if not _NO_TESTS.search(each.name)], constants


def nox_variables(sources: Sources) -> dict[str, str]:
    """Return the variables that nox's sessions for tests set as literals."""
    found: dict[str, str] = {}
    for node in (node for function in _nox_tests(sources)[0] for node in ast.walk(function)):
        if isinstance(node, ast.keyword) and node.arg == "env" and isinstance(node.value, ast.Dict):
            pairs = zip(node.value.keys, node.value.values, strict=True)
            found |= {
                str(key.value): str(value.value)
                for key, value in pairs
                if isinstance(key, ast.Constant) and isinstance(value, ast.Constant)
            }
    return {name: value for name, value in found.items() if not _OWN.match(name)}


def nox_parts(sources: Sources) -> list[Part]:
    """Return what the sessions of noxfile.py that run tests install, if it is written as literals."""
    functions, constants = _nox_tests(sources)
    parts = []
    for function in functions:
        for node in ast.walk(function):
            if (
                not isinstance(node, ast.Call)
                or not isinstance(node.func, ast.Attribute)
                or node.func.attr != "install"
            ):
                continue
            words = [word for each in node.args for word in _literals(each, constants)]
            if found := pip_words(words):
                parts.append(Part(source=f"nox's session `{function.name}`", words=tuple(found)))
    return parts


def _literals(node: ast.AST, constants: Mapping[str, ast.AST]) -> list[str]:
    """Return the strings that an argument stands for."""
    if isinstance(node, ast.Starred):
        return _literals(node.value, constants)
    if isinstance(node, ast.Name) and node.id in constants:
        return _literals(constants[node.id], {})
    try:
        value: Any = ast.literal_eval(node)
    except (ValueError, TypeError, RecursionError):
        return []
    return (
        [value]
        if isinstance(value, str)
        else [each for each in value if isinstance(each, str)]
        if isinstance(value, (list, tuple))
        else []
    )


_WITH_VALUE = (
    "-r",
    "--requirement",
    "-c",
    "--constraint",
    "-i",
    "--index-url",
    "--extra-index-url",
    "-f",
    "--find-links",
    "--group",
)


def pip_words(words: Iterable[str]) -> list[str]:
    """Return the arguments of ``pip install`` that name packages and files, without options.

    Of the project itself (``.[test]``), only the extras remain, as ``.[test]``.
    """
    found: list[str] = []
    waiting = list(words)
    while waiting:
        word = waiting.pop(0)
        if word in _WITH_VALUE:
            value = waiting.pop(0) if waiting else ""
            if word in ("-r", "--requirement", "-c", "--constraint", "--group") and value:
                found += [
                    "-c" if word in ("-c", "--constraint") else "-r" if word != "--group" else word,
                    value,
                ]
        elif re.match(r"-[rc].", word):
            found += [word[:2], word[2:]]
        elif word in ("-e", "--editable") or word.startswith("-") or word in (".", "./"):
            continue
        elif not re.match(
            r"(?:pip|setuptools|wheel|uv|tox|nox|virtualenv|build|twine)(?:[<>=!~ ].*)?$", word
        ):
            found.append(word)
    return found if any(not word.startswith("-") for word in found) else []
