"""Check the diff of a change without running anything: its size, secrets, binaries, dependency files."""

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from pydantic import Field

from gherkin.values import Frozen
from runners.git.command import git
from runners.policy.redact import looks_secret
from runners.verify.verdict import Problem

# A change of these brings or removes somebody else's code.
_DEPENDENCIES = frozenset(
    [
        "pyproject.toml",
        "setup.py",
        "setup.cfg",
        "Pipfile",
        "Pipfile.lock",
        "poetry.lock",
        "uv.lock",
        "pdm.lock",
        "environment.yml",
        "package.json",
        "package-lock.json",
        "yarn.lock",
        "pnpm-lock.yaml",
        "go.mod",
        "go.sum",
        "Cargo.toml",
        "Cargo.lock",
        "Gemfile",
        "Gemfile.lock",
        "composer.json",
        "composer.lock",
        "pom.xml",
        "build.gradle",
        "build.gradle.kts",
    ]
)
_MAX_SECRETS = 5


class DiffLimits(Frozen):
    """How large a change may be."""

    files: int = Field(default=60, ge=1, description="The most files that a change may touch.")
    lines: int = Field(
        default=3000, ge=1, description="The most lines that a change may add and remove, together."
    )
    binaries: bool = Field(default=False, description="Whether a change may add binary files.")


def diff_problems(git_dir: Path, base: str, head: str, limits: DiffLimits) -> list[Problem]:
    """Return what is wrong with the diff from `base` to `head`."""
    rows = list(_numstat(git_dir, base, head))
    lines = sum(added + removed for _, added, removed in rows if added is not None and removed is not None)
    problems = []
    if len(rows) > limits.files or lines > limits.lines:
        message = (
            f"The change touches {len(rows)} files and {lines} lines; at most {limits.files} and "
            f"{limits.lines} can be reviewed with care."
        )
        problems.append(
            Problem(code="diff-too-large", message=f"{message} Leave out what the task does not need.")
        )
    new = {path for path, _, _ in rows} - _files(git_dir, base)
    for path, added, _ in rows:
        if added is None and path in new and not limits.binaries:
            problems.append(Problem(code="binary-added", message=f"{path} is a binary file. Leave it out."))
    secrets = [path for path, text in _added(git_dir, base, head) if looks_secret(text)]
    problems += [
        Problem(
            code="secret-added",
            message=f"{path} has a new line with what looks like a real key or token. Remove it.",
        )
        for path in secrets[:_MAX_SECRETS]
    ]
    return problems


def dependency_files(git_dir: Path, base: str, head: str) -> tuple[str, ...]:
    """Return the changed files that declare dependencies."""
    return tuple(path for path, _, _ in _numstat(git_dir, base, head) if _is_dependency_file(path))


def _is_dependency_file(path: str) -> bool:
    place = PurePosixPath(path)
    requirements = place.suffix in (".txt", ".in") and (
        "requirements" in place.name or "requirements" in place.parts
    )
    return place.name in _DEPENDENCIES or requirements


def _numstat(git_dir: Path, base: str, head: str) -> Iterator[tuple[str, int | None, int | None]]:
    """Yield (path, lines added, lines removed); both numbers are None for a binary file."""
    out = git("diff", "--numstat", "--no-renames", "-z", base, head, git_dir=git_dir)
    for row in out.split("\0"):
        if row:
            added, removed, path = row.split("\t", 2)
            yield path, int(added) if added != "-" else None, int(removed) if removed != "-" else None


def _files(git_dir: Path, commit: str) -> set[str]:
    return set(git("ls-tree", "-r", "-z", "--name-only", commit, git_dir=git_dir).split("\0"))


def _added(git_dir: Path, base: str, head: str) -> Iterator[tuple[str, str]]:
    """Yield (path, its new lines) of each text file."""
    plain = (
        "--no-color",
        "--no-ext-diff",
        "--no-textconv",
        "--no-renames",
        "--src-prefix=a/",
        "--dst-prefix=b/",
    )
    out = git("-c", "core.quotePath=false", "diff", "--unified=0", *plain, base, head, git_dir=git_dir)
    path, lines, body = "", list[str](), False
    for line in out.split("\n"):
        if line.startswith("diff --git "):
            if lines:
                yield path, "\n".join(lines)
            path, lines, body = line.rpartition(" b/")[2], [], False
        elif line.startswith("@@"):
            body = True
        elif body and line.startswith("+"):
            lines.append(line[1:])
    if lines:
        yield path, "\n".join(lines)


def added_lines(diff: str) -> dict[str, set[int]]:
    """Return path -> numbers of the lines that a unified diff adds."""
    found: dict[str, set[int]] = {}
    path, number = "", 0
    for line in diff.splitlines():
        if line.startswith("+++ "):
            path = line[4:].removeprefix("b/").split("\t")[0]
        elif hunk := re.match(r"@@ -\S+ \+(\d+)", line):
            number = int(hunk[1])
        elif line.startswith("+"):
            found.setdefault(path, set()).add(number)
            number += 1
        elif line.startswith(" "):
            number += 1
    return found
