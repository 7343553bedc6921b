"""Find out whether the repository's own commands run a file, or what was changed in it."""

import re
import shlex
from collections.abc import Sequence
from pathlib import PurePosixPath

from runners.verify.rules.settings_files import like

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
RUNNER_FILES = ("*akefile", "*.mk", *(name for _, names in _RUNS for name in names))


def runs_it(path: str, before: bytes | None, after: bytes | None, commands: Sequence[str]) -> bool:
    """Return whether one of the repository's `commands` runs the file, or the part of it that changed."""
    name = PurePosixPath(path).name
    for line in commands:
        try:
            words = shlex.split(line, comments=False)
        except ValueError:
            words = line.split()
        if before is not None and path in _scripts(words):
            return True
        programs = {PurePosixPath(word).name for word in words}
        if programs & {"make", "gmake"} and like(name, ("*akefile", "*.mk")):
            goals = [word for word in words if re.fullmatch(r"[A-Za-z0-9_.%/-]+", word) and word != "make"]
            if _recipes(before, goals) != _recipes(after, goals, known=before):
                return True
        if before is not None and any(program in programs and like(name, files) for program, files in _RUNS):
            return True
    return False


_INTERPRETERS = frozenset(
    ["bash", "sh", "python", "python3", "node", "ruby", "perl", "php", "env", "exec", "time"]
)
TOOL_FOLDERS = frozenset(["scripts", "script", "tools", "ci", "dev", "hack", "build", "bin", "utils"])


def _scripts(words: Sequence[str]) -> set[str]:
    """Return the files that a command line runs and that are tools by their folder or suffix.

    The program under test is not one of them.
    """
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
        if word.endswith((".sh", ".bash")) or TOOL_FOLDERS.intersection(PurePosixPath(word).parts[:1])
    }


# A variable that make or the shell give a meaning to.
_MEANINGFUL = frozenset(["SHELL", "MAKEFLAGS", "MAKEFILES", "PATH", "BASH_ENV", "ENV", "CDPATH"])
_VARIABLE = re.compile(r"^(?:export\s+)?([A-Za-z_]\w*)\s*(?:[:?]|::)?=")
_RULE = re.compile(r"^([^\s#:=][^:=#]*?)\s*::?(?!=)\s*([^#\n]*)")


def _recipes(text: bytes | None, goals: Sequence[str], known: bytes | None = None) -> object:
    """Return what `make` reads for `goals` (by default the first target): their rules, what these need,
    variables.

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
    """Return whether a line of a makefile sets a variable that its earlier text does not name."""
    variable = _VARIABLE.match(line)
    return variable is not None and variable[1] not in _MEANINGFUL and variable[1].encode() not in known
