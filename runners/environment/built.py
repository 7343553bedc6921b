"""What the set-up made inside the checkout: compiled extensions, version files, generated code.

It belongs to the environment: each checkout gets it, no commit does, and what was compiled is compiled again when
its sources are others.
"""

import hashlib
import os
import re
import shlex
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

from runners.environment.finding.parts import Package
from runners.git.workspaces import Worktree, exclude_file
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
    """Copy what is in a checkout and not in its commit to the folder `into`; returns the paths.

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
    found = []
    for folder, _, names in os.walk(root / path):
        found += [str((Path(folder) / name).relative_to(root)) for name in names]
    return found


def lay(built: Path, paths: Iterable[str], root: Path) -> None:
    """Put built files into the checkout `root` where it has none of that name, and keep them out of its commits.

    A link in the checkout is never followed: its commit is from strangers.
    """
    laid = []
    for path in paths:
        target = root / path
        if target.is_symlink() or target.exists() or _through_link(root, path):
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(built / path, target)
        laid.append(path)
    if laid:
        with exclude_file(root).open("a") as file:
            file.writelines(f"/{_escaped(path)}\n" for path in laid)


def _through_link(root: Path, path: str) -> bool:
    place = root
    for part in Path(path).parent.parts:
        place = place / part
        if place.is_symlink() or (place.exists() and not place.is_dir()):
            return True
    return False


def _escaped(path: str) -> str:
    """A path as a pattern of gitignore(5) that fits it alone."""
    return re.sub(r"([\\*?\[\]!# ])", r"\\\1", path)


def sources_digest(root: Path, packages: Iterable[Package]) -> str:
    """What stands for all that the compiled packages below `root` are built from."""
    digest = hashlib.sha256()
    for package in packages:
        for folder, names, files in os.walk(root / package.folder):
            names[:] = sorted(name for name in names if not _SKIPPED.search(f"{name}/"))
            for name in sorted(files):
                path = Path(folder) / name
                if (name.endswith(_SOURCES) or name in _MANIFESTS) and not path.is_symlink():
                    digest.update(
                        f"{path.relative_to(root)}\0{path.stat().st_size}\0".encode(errors="surrogateescape")
                    )
                    digest.update(path.read_bytes())
    return digest.hexdigest()


def rebuild(
    packages: Iterable[Package], builder: str, run: Callable[[str], CommandResult]
) -> CommandResult | None:
    """Compile packages anew in their checkout; returns how that failed, or None.

    `builder` is the Python of the environment that builds. `run` runs a bash command line without a network.
    """
    for number, package in enumerate(packages):
        plain = "-c 'import setuptools; setuptools.setup()'"
        line = (
            f"cd {shlex.quote(f'./{package.folder}')} && if [ -e setup.py ]; then set -- setup.py; else set -- {plain}; fi; "
            f'{builder} "$@" --quiet build_ext --inplace --force --build-temp /tmp/build-{number}'
        )
        result = run(line)
        if result.exit_code != 0:
            return result
    return None
