"""Find the Pythons of this machine, and which of them a repository needs."""

import ast
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from gherkin.errors import ScenaristError
from gherkin.values import Frozen
from runners.environment.finding.sources import Sources, table

_PROBE = "import sys; print(*sys.version_info[:3], sys.base_prefix)"
# What runs the tests inside a sandbox is written for this version and later ones.
_OLDEST = (3, 8)
_MAINTAINED = (3, 10)
_TOX = re.compile(r"\bpy(?:thon)?3\.?(\d{1,2})\b|\bpy3?\{([^}]*)\}")
_CLASSIFIER = re.compile(r"Programming Language :: Python :: 3\.(\d+)")
# What stands before the version of Python, by file.
_NAMES_PYTHON = {
    ".tool-versions": r"^python[ \t]+",
    "runtime.txt": r"^python-",
    "environment.yml": r"^\s*-\s*python\s*=+\s*",
    "environment.yaml": r"^\s*-\s*python\s*=+\s*",
    "Dockerfile": r"^FROM\s+(?:\S*/)?python:",
}
_ASKED = re.compile(r"python_requires\s*=\s*(.+)")


class NoFittingPython(ScenaristError):
    """The repository needs a Python that this machine does not have."""

    code = "SCN-3202"
    next_step = (
        "Install that Python on the runner (Debian's package, pyenv or `uv python install`), then try "
        "again (on a forge: set the label again)."
    )


class Interpreter(Frozen):
    """A Python: the program, its version, and the installation that it needs."""

    path: str
    version: tuple[int, int, int]
    prefix: str

    @property
    def mounts(self) -> dict[str, Path]:
        """Return the folders that a sandbox needs for it, by path inside; none for one below ``/usr``."""
        real = str(Path(self.prefix).resolve())
        return {each: Path(each) for each in {self.prefix, real} if Path(each).parts[:2] != ("/", "usr")}


@cache
def interpreters() -> tuple[Interpreter, ...]:
    """Return the Pythons of this machine, newest first: those of the system, of pyenv and of uv.

    The Python that runs this program is one of them.
    """
    home = Path.home()
    pyenv = Path(os.environ.get("PYENV_ROOT", home / ".pyenv")) / "versions"
    managed = Path(os.environ.get("UV_PYTHON_INSTALL_DIR", home / ".local" / "share" / "uv" / "python"))
    places = [
        *(Path(each) for each in ("/usr/bin", "/usr/local/bin")),
        *pyenv.glob("*/bin"),
        *managed.glob("*/bin"),
    ]
    programs = [
        path for place in places for path in sorted(place.glob("python3.*")) if _NAMED.fullmatch(path.name)
    ]
    found = {each.prefix: each for path in [Path(_own()), *programs] if (each := _examine(str(path)))}
    return tuple(sorted(found.values(), key=lambda each: each.version, reverse=True))


_NAMED = re.compile(r"python3\.\d+")


def _own() -> str:
    """Return the program of the running Python itself, not of its virtual environment."""
    if sys.prefix == sys.base_prefix:
        return sys.executable
    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    beside = Path(sys.base_prefix) / "bin" / name
    return (
        str(beside)
        if beside.exists()
        else shutil.which(name, path="/usr/bin:/usr/local/bin") or sys.executable
    )


def _examine(program: str) -> Interpreter | None:
    """Return what a Python says about itself; None if it does not run, or is too old to run tests."""
    try:
        said = subprocess.run(
            [program, "-I", "-c", _PROBE], capture_output=True, text=True, timeout=30, check=True, env={}
        ).stdout.split(maxsplit=3)
    except (OSError, subprocess.SubprocessError):
        return None
    version = (int(said[0]), int(said[1]), int(said[2]))
    if version[:2] < _OLDEST:
        return None
    return Interpreter(path=program, version=version, prefix=said[3].strip())


def choose(sources: Sources, machine: Sequence[Interpreter]) -> Interpreter:
    """Return the Python for a repository.

    That is one that its files demand, else one that it says it is tested with, else the one that runs
    Scenarist. Raises `NoFittingPython`, which names what is needed and what there is.
    """
    demand = demanded(sources)
    try:
        allowed = SpecifierSet(demand, prereleases=True)
    except InvalidSpecifier:
        allowed = SpecifierSet()
    fitting = [each for each in machine if allowed.contains(_dotted(each.version))]
    if not fitting:
        there = ", ".join(_dotted(each.version) for each in machine) or "none"
        raise NoFittingPython(f"The repository needs Python {demand}; this runner has {there}.")
    for wanted in _pinned(sources):
        if exact := [each for each in fitting if _dotted(each.version).startswith(wanted)]:
            return exact[0]
    ours = [each for each in fitting if each.version[:2] == sys.version_info[:2]]
    tested = _tested(sources)
    named = [each for each in fitting if each.version[1] in tested]
    # A list that ends with Pythons nobody maintains is an old list, and no demand.
    if ours and (not named or ours[0] in named or named[0].version[:2] < _MAINTAINED):
        return ours[0]
    return (named or ours or fitting)[0]


def demanded(sources: Sources) -> str:
    """Return the versions of Python that the package says it needs, as a specifier; empty if it does not
    say.
    """
    pyproject = sources.toml("pyproject.toml")
    said = table(pyproject, "project").get("requires-python")
    if isinstance(said, str):
        return said
    poetry = table(pyproject, "tool", "poetry", "dependencies").get("python")
    if isinstance(poetry, str):
        return from_caret(poetry)
    config = sources.ini("setup.cfg").get("options", "python_requires", fallback="")
    return config or _of_setup(sources.text("setup.py"))


def _of_setup(source: str) -> str:
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError):
        return ""
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.keyword)
            and node.arg == "python_requires"
            and isinstance(node.value, ast.Constant)
        ):
            return str(node.value.value)
    return ""


def from_caret(poetry: str) -> str:
    """Return a constraint in Poetry's notation as a PEP 440 specifier.

    Of alternatives (``||``), the lowest bound is taken.
    """
    first = poetry.split("||")[0].strip()
    parts = []
    for each in filter(None, (part.strip() for part in first.split(","))):
        bare = each.lstrip("^~ ")
        numbers = [int(number) for number in re.findall(r"\d+", bare)[:3]]
        if each.startswith("^") and numbers:
            at = next((index for index, number in enumerate(numbers) if number), len(numbers) - 1)
            upper = [*numbers[:at], numbers[at] + 1]
            parts += [f">={bare}", f"<{'.'.join(map(str, upper))}"]
        elif each.startswith("~") and not each.startswith("~=") and numbers:
            upper = [numbers[0] + 1] if len(numbers) == 1 else [numbers[0], numbers[1] + 1]
            parts += [f">={bare}", f"<{'.'.join(map(str, upper))}"]
        elif each == "*":
            continue
        else:
            parts.append(each if each[0] in "<>=!~" else f"=={each}")
    return ",".join(parts)


def _pinned(sources: Sources) -> list[str]:
    """Return the versions in files that name one Python: pyenv's and uv's, asdf's, Pipenv's, conda's,
    Docker's.
    """
    found = re.findall(r"^(?:cpython-)?(3\.\d+(?:\.\d+)?)", sources.text(".python-version"), re.M)
    required = table(sources.toml("Pipfile"), "requires")
    named = [required.get("python_full_version"), required.get("python_version")]
    found += [each for each in named if isinstance(each, str) and re.fullmatch(r"3\.\d+(\.\d+)?", each)]
    for path, pattern in _NAMES_PYTHON.items():
        found += re.findall(rf"{pattern}(3\.\d+(?:\.\d+)?)", sources.glance(path), re.M)
    # A patch version that is not here is no reason to take another minor one.
    return [each for version in found for each in (version, ".".join(version.split(".")[:2]) + ".")]


def _tested(sources: Sources) -> set[int]:
    """Return the minor versions of Python 3 that tox's list names, else those of the classifiers."""
    pyproject = sources.toml("pyproject.toml")
    texts = [sources.text("tox.ini"), sources.text("tox.toml"), str(table(pyproject, "tool", "tox"))]
    texts.append(
        str(dict(sources.ini("setup.cfg")["tox:tox"]))
        if sources.ini("setup.cfg").has_section("tox:tox")
        else ""
    )
    found: set[int] = set()
    for match in (match for text in texts for match in _TOX.finditer(text)):
        listed = [match[1]] if match[1] else _expanded(match[2].split(","))
        found |= {int(number) for number in listed}
    if found:
        return found
    # Classifiers are a claim about users' Pythons, and often an old one: only newer ones than ours are a
    # demand.
    classifiers = (
        str(table(pyproject, "project").get("classifiers", ""))
        + sources.text("setup.cfg")
        + sources.text("setup.py")
    )
    claimed = {int(number) for number in _CLASSIFIER.findall(classifiers)}
    return claimed if claimed and min(claimed) > sys.version_info[1] else set()


def _expanded(items: Iterable[str]) -> list[str]:
    """Return the minor versions in the braces of ``py{39,310}``, ``py3{9,10}`` and ``py3{9-13}``."""
    found: list[str] = []
    for item in (item.strip().replace(".", "") for item in items):
        if span := re.fullmatch(r"3?(\d{1,2})-3?(\d{1,2})", item):
            found += [str(number) for number in range(int(span[1]), int(span[2]) + 1)]
        elif digits := re.fullmatch(r"3?(\d{1,2})", item):
            found.append(digits[1])
    return found


def _dotted(version: Sequence[int]) -> str:
    return ".".join(map(str, version))
