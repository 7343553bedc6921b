"""Which commands install a repository's dependencies: found by looking at its files."""

import configparser
import json
import re
import shlex
import sys
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

INSIDE = "/env"
CACHE = "/cache"
_PYTHON = f"{INSIDE}/venv/bin/python"
_REQUIREMENTS = (
    "requirements.txt",
    "requirements-dev.txt",
    "requirements-test.txt",
    "requirements_dev.txt",
    "requirements_test.txt",
    "dev-requirements.txt",
    "test-requirements.txt",
    "requirements/dev.txt",
    "requirements/test.txt",
)
_PROJECT = ("pyproject.toml", "setup.cfg", "setup.py")
_LOCKS = ("uv.lock", "poetry.lock", "Pipfile.lock", "Pipfile", "tox.ini")
NODE = ("package.json", "package-lock.json", "npm-shrinkwrap.json")
GO = ("go.mod", "go.sum")
CARGO = ("Cargo.toml", "Cargo.lock")
FILES = (*_REQUIREMENTS, *_PROJECT, *_LOCKS, *NODE, *GO, *CARGO)
_LOCK = f"{INSIDE}/lock.txt"
# Each writes all that a lock file names, without installing anything.
_EXPORTS = {
    "uv.lock": "uv export --quiet --frozen --all-extras --all-groups --no-emit-project --no-hashes --output-file "
    + _LOCK,
    "poetry.lock": "uv tool run --quiet --from poetry --with poetry-plugin-export poetry export --no-interaction --all-groups "
    "--all-extras --without-hashes --output " + _LOCK,
    # pipenv names the public index, where an operator may have another.
    "Pipfile.lock": "set -o pipefail; uv tool run --quiet pipenv requirements --dev | grep -v '^-i https://pypi.org/' > "
    + _LOCK,
}
# pytest rewrites its plugins' asserts when it loads them, and keeps the result where it may write: here, not in later sandboxes.
_PRIME = (
    "nothing=$(mktemp -d); env -u PYTHONDONTWRITEBYTECODE "
    f'{_PYTHON} -m pytest --collect-only -p no:cacheprovider -c /dev/null --rootdir "$nothing" "$nothing" >/dev/null 2>&1 || true'
)
# Environments of Hatch that are there for tests.
_HATCH = ("default", "test", "hatch-test")
_REQUIREMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\s*(\[[^\]{}]*\])?\s*([<>=!~;@(][^{}]*)?")


def plan(files: Mapping[str, str], setup: Sequence[str]) -> list[str]:
    """The commands that install a repository's dependencies, found by looking; none when it has none.

    `files` maps the paths of dependency files to their text. `setup` are the repository's own commands,
    which replace the guess.
    """
    if setup:
        return [_venv(), *setup, _runners(), _PRIME]
    return [*_python(files), *_node(files), *_go(files), *_cargo(files)]


def _node(files: Mapping[str, str]) -> list[str]:
    """npm's packages, in a folder of their own; none of their install scripts is run."""
    try:
        package = json.loads(files.get("package.json", "{}"))
        wanted = any(package.get(kind) for kind in ("dependencies", "devDependencies"))
    except (ValueError, AttributeError):
        return []
    if not wanted:
        return []
    locked = any(name in files for name in NODE[1:])
    names = " ".join(name for name in NODE if name in files)
    flags = "--ignore-scripts --no-audit --no-fund --loglevel=error"
    verb = "ci" if locked else "install --no-package-lock"
    return [
        f"mkdir -p {INSIDE}/node && cp {names} {INSIDE}/node/ && cd {INSIDE}/node && "
        f"HOME={INSIDE}/node npm {verb} {flags} --cache {CACHE}/npm"
    ]


def _go(files: Mapping[str, str]) -> list[str]:
    """Go's modules, where go.mod requires any; not for a later version of Go than is there."""
    if not re.search(r"^\s*require\b", files.get("go.mod", ""), re.MULTILINE):
        return []
    return [
        f"GOMODCACHE={INSIDE}/go GOCACHE={CACHE}/go-build GOFLAGS=-modcacherw GOTOOLCHAIN=local go mod download"
    ]


def _cargo(files: Mapping[str, str]) -> list[str]:
    """Cargo's packages, where a manifest names any; members of a workspace may."""
    manifest = files.get("Cargo.toml", "")
    if not re.search(
        r"^\s*\[([^\]]*\bdependencies\b|(dev|build)-dependencies|workspace)", manifest, re.MULTILINE
    ):
        return []
    locked = " --locked" if "Cargo.lock" in files else ""
    return [f"CARGO_HOME={INSIDE}/cargo cargo fetch --quiet{locked}"]


def _python(files: Mapping[str, str]) -> list[str]:
    targets = [f"-r {name}" for name in _REQUIREMENTS if name in files]
    project = _toml(files.get("pyproject.toml", ""))
    for lock, export in _EXPORTS.items():
        if lock in files:
            return [_venv(), export, _install(f"-r {_LOCK}"), *_finish(files)]
    if not targets and _declares(project):
        targets = ["-r pyproject.toml --all-extras", *_groups(project)]
    elif not targets and ("setup.py" in files or "poetry" in _table(project, "tool")):
        targets = ["."]
    targets += map(shlex.quote, _hatch(project))
    if (
        len(targets) <= 1
    ):  # what is needed to run the project may stand elsewhere than what is needed to test it
        targets += map(shlex.quote, _tox(files))
    return [_venv(), _install(" ".join(targets)), *_finish(files)] if targets else []


def _finish(files: Mapping[str, str]) -> list[str]:
    """The project itself, editable: it lies at the same place in every sandbox. Not all can be."""
    package = any(name in files for name in ("setup.py", "setup.cfg")) or "[build-system]" in files.get(
        "pyproject.toml", ""
    )
    itself = [_install("--no-deps --editable .") + " || true"] if package else []
    return [*itself, _runners(), _PRIME]


def _venv() -> str:
    return f"uv venv --quiet --python {sys.executable} {INSIDE}/venv"


def _install(what: str) -> str:
    return f"uv pip install --quiet --python {_PYTHON} {what}"


def _runners() -> str:
    """behave and pytest are brought where the repository does not have them; its own versions stay."""
    return (
        f'for name in behave pytest coverage; do {_PYTHON} -c "import $name" 2>/dev/null || '
        f"uv pip install --quiet --python {_PYTHON} $name; done"
    )


def _toml(text: str) -> dict[str, Any]:
    """What a TOML file holds; nothing if it cannot be read."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return {}


def _table(data: Any, *names: str) -> dict[str, Any]:
    """The table at `names`; an empty one if there is none."""
    for name in names:
        data = data.get(name) if isinstance(data, dict) else None
    return data if isinstance(data, dict) else {}


def _declares(pyproject: Mapping[str, Any]) -> bool:
    """Whether a pyproject.toml names any dependency, in the way of the standards."""
    project = _table(pyproject, "project")
    return bool(
        project.get("dependencies")
        or project.get("optional-dependencies")
        or _table(pyproject, "dependency-groups")
        or "dependencies" in project.get("dynamic", ())
    )


def _groups(pyproject: Mapping[str, Any]) -> list[str]:
    groups = _table(pyproject, "dependency-groups")
    return [f"--group {name}" for name in sorted(groups) if name in ("dev", "test", "tests")]


def _hatch(pyproject: Mapping[str, Any]) -> list[str]:
    """What Hatch's own environments need besides the project."""
    named = [_table(pyproject, "tool", "hatch", "envs", name) for name in _HATCH]
    lists = [each.get(key, ()) for each in named for key in ("dependencies", "extra-dependencies")]
    return _plain(line for each in lists if isinstance(each, list) for line in each)


def _tox(files: Mapping[str, str]) -> list[str]:
    """The dependencies of tox's `testenv`, as far as they are plain requirements."""
    text = files.get("tox.ini", "")
    tox = configparser.ConfigParser(interpolation=None, strict=False)
    try:
        tox.read_string(text)
    except configparser.Error:
        return []
    return _plain(tox.get("testenv", "deps", fallback="").splitlines())


def _plain(lines: Iterable[object]) -> list[str]:
    """Requirements by name; what holds a tool's own placeholders, options or paths is left out."""
    stripped = [str(line).split(" #")[0].strip() for line in lines]
    return [line for line in stripped if _REQUIREMENT.fullmatch(line)]
