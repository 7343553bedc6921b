"""Files that the set-up made inside the checkout: compiled extensions, version files, generated code.

They belong to the environment: each checkout gets them, and no commit does. Compiled files are compiled again
when their sources have changed.
"""

import hashlib
import re
import shlex
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

from runners.environment.finding.parts import Package
from runners.git.workspaces import Worktree, exclude_file
from runners.sandbox.beneath import copy_in, file_paths, folders, read_file
from runners.sandbox.process import CommandResult

_SOURCES = (".c", ".cc", ".cpp", ".cxx", ".h", ".hpp", ".pyx", ".pxd", ".pxi", ".rs", ".f90", ".f")
_MANIFESTS = (
    "setup.py",
    "setup.cfg",
    "pyproject.toml",
    "MANIFEST.in",
    "Cargo.toml",
    "meson.build",
    "CMakeLists.txt",
)
_SKIPPED = re.compile(
    r"(^|/)(__pycache__|\.git|\.eggs|\.tox|\.nox|\.venv|venv|node_modules|\.pytest_cache|\.hypothesis|\.benchmarks|htmlcov|\.mypy_cache|\.ruff_cache|build|dist|[^/]+\.egg-info)/|\.py[co]$|(^|/)\.coverage[^/]*$"
)
_MAX_FILES = 5000
_MAX_BYTES = 500_000_000


def collect(tree: Worktree, into: Path) -> list[str]:
    """Copy files that are in a checkout and not in its commit to the folder `into`; returns the paths.

    Caches, environments and folders of intermediate results are left out.
    """
    listed = tree.git("status", "--porcelain", "--ignored", "--untracked-files=all", "-z").split("\0")
    paths = [path for line in listed if line[:2] in ("??", "!!") for path in _files(tree.root, line[3:])]
    kept: list[str] = []
    size = 0
    for path in sorted(path for path in paths if not _SKIPPED.search(path))[:_MAX_FILES]:
        source = tree.root / path
        if source.is_symlink() or not source.is_file():
            continue
        size += source.stat().st_size
        if size > _MAX_BYTES:
            break
        target = into / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target)
        kept.append(path)
    return kept


def _files(root: Path, path: str) -> Iterable[str]:
    if not path.endswith("/"):
        return [path]
    return file_paths(root, path.rstrip("/"))


def lay(built: Path, paths: Iterable[str], root: Path) -> None:
    """Put built files into the checkout `root` if it has none of that name, and keep them out of its commits.

    A link in the checkout is never followed: its commit is from strangers, and commands may be changing it.
    """
    laid = [path for path in paths if copy_in(built / path, root, path)]
    if laid:
        with exclude_file(root).open("a") as file:
            file.writelines(f"/{_escaped(path)}\n" for path in laid)


def _escaped(path: str) -> str:
    """Return a path as a pattern of gitignore(5) that matches only this path."""
    return re.sub(r"([\\*?\[\]!# ])", r"\\\1", path)


def sources_digest(root: Path, packages: Iterable[Package]) -> str:
    """Return a digest of all files that the compiled packages below `root` are built from."""
    digest = hashlib.sha256()
    for package in packages:
        for path in sorted(_sources(root, package.folder or ".")):
            if package.builder and path.rpartition("/")[2] in ("pyproject.toml", "setup.cfg"):
                continue  # it names much else, and nothing can be built again
            content = read_file(root, path) or b""
            digest.update(f"{path}\0{len(content)}\0".encode(errors="surrogateescape"))
            digest.update(content)
    return digest.hexdigest()


def _sources(root: Path, below: str) -> Iterable[str]:
    for folder, _, entries in folders(root, below):
        prefix = "" if folder == "." else f"{folder}/"
        for entry in list(entries):
            if _SKIPPED.search(f"{entry.name}/"):
                entries.remove(entry)
            elif entry.name.endswith(_SOURCES) or entry.name in _MANIFESTS:
                yield prefix + entry.name


def not_rebuilt(package: Package) -> str:
    """Return a sentence for people: the compiled parts of `package` are those of the base commit."""
    return (
        f"{package.builder} builds the compiled parts of {package.name or 'this package'}: they are built "
        "once, and not again when their sources change."
    )


def rebuild(
    packages: Iterable[Package], builder: str, run: Callable[[str], CommandResult]
) -> CommandResult | None:
    """Compile packages again in their checkout; returns how that failed, or None.

    `builder` is the Python of the environment that builds. `run` runs a bash command line without a network.
    """
    for number, package in enumerate(packages):
        if package.builder:
            said = f"{not_rebuilt(package)} They have changed, so nothing that is run here would show it.\n"
            return CommandResult(exit_code=1, output=said)
        plain = "-c 'import setuptools; setuptools.setup()'"
        line = (
            f"cd {shlex.quote(f'./{package.folder}')} && if [ -e setup.py ]; then set -- setup.py; else "
            f"set -- {plain}; fi; "
            f'{builder} "$@" --quiet build_ext --inplace --force --build-temp /tmp/build-{number} '
            f"--build-lib /tmp/lib-{number}"
        )
        result = run(line)
        if result.exit_code != 0:
            return result
    return None
