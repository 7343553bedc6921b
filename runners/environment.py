"""The repository's own dependencies: installed once per lock file, before a model takes part, then read-only.

This is the only step whose commands may reach the network. It works on the base commit alone, so that
nothing a model wrote is ever run with a network.
"""

import fcntl
import hashlib
import json
import os
import sys
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path

from gherkin.errors import ScenaristError
from runners.gitio import list_files, read_blob
from runners.models.chat import Frozen
from runners.sandbox import WORKSPACE, Limits, Sandbox
from runners.trees import remove_tree
from runners.workspace import Mirror, Workspaces

INSIDE = "/env"
_CACHE = "/cache"
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
_NODE = ("package.json", "package-lock.json", "npm-shrinkwrap.json")
# Node looks for packages in the folders above a file, so they have to appear in the workspace itself.
_MODULES = "node_modules"
# An operator's own index and proxies; they are there in this step only.
_PASSED = (
    "NPM_CONFIG_REGISTRY",
    "UV_DEFAULT_INDEX",
    "UV_INDEX",
    "UV_INDEX_URL",
    "UV_EXTRA_INDEX_URL",
    "PIP_INDEX_URL",
    "PIP_EXTRA_INDEX_URL",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
)
_SECONDS = 900.0
# With the packages of other environments, which are kept beside it.
_DISK_MB = 100_000.0
_CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"


class EnvironmentBroken(ScenaristError):
    """The repository's dependencies cannot be installed on its default branch."""

    code = "SCN-3201"
    next_step = "Correct the dependencies, or set `setup:` in .scenarist.yml, and set the label again."


class Environment(Frozen):
    """What commands get besides the workspace: `folder` at ``/env`` (None: nothing), and variables."""

    folder: Path | None = None
    variables: dict[str, str] = {}

    @property
    def mounts(self) -> dict[str, Path]:
        if self.folder is None:
            return {}
        modules = self.folder / "node" / _MODULES
        shown = {f"{WORKSPACE}/{_MODULES}": modules} if modules.is_dir() else {}
        return {INSIDE: self.folder, **shown}


def plan(files: Mapping[str, str], setup: Sequence[str]) -> list[str]:
    """The commands that install a repository's dependencies, found by looking; none when it has none.

    `files` maps the paths of dependency files to their text. `setup` are the repository's own commands,
    which replace the guess.
    """
    if setup:
        return [_venv(), *setup, _runners()]
    return [*_python(files), *_node(files)]


def _node(files: Mapping[str, str]) -> list[str]:
    """npm's packages, in a folder of their own; none of their install scripts is run."""
    try:
        package = json.loads(files.get("package.json", "{}"))
        wanted = any(package.get(kind) for kind in ("dependencies", "devDependencies"))
    except (ValueError, AttributeError):
        return []
    if not wanted:
        return []
    locked = any(name in files for name in _NODE[1:])
    names = " ".join(name for name in _NODE if name in files)
    flags = "--ignore-scripts --no-audit --no-fund --loglevel=error"
    verb = "ci" if locked else "install --no-package-lock"
    return [
        f"mkdir -p {INSIDE}/node && cp {names} {INSIDE}/node/ && cd {INSIDE}/node && "
        f"HOME={INSIDE}/node npm {verb} {flags} --cache {_CACHE}/npm"
    ]


def _python(files: Mapping[str, str]) -> list[str]:
    targets = [f"-r {name}" for name in _REQUIREMENTS if name in files]
    if "uv.lock" in files:
        export = "uv export --quiet --frozen --all-extras --all-groups --no-emit-project --no-hashes"
        lock = f"{INSIDE}/lock.txt"
        return [_venv(), f"{export} --output-file {lock}", _install(f"-r {lock}"), *_finish(files)]
    if not targets and _declares("pyproject.toml", files.get("pyproject.toml", "")):
        targets = ["-r pyproject.toml --all-extras", *_groups(files["pyproject.toml"])]
    elif not targets and "setup.py" in files:
        targets = ["."]
    return [_venv(), _install(" ".join(targets)), *_finish(files)] if targets else []


def _finish(files: Mapping[str, str]) -> list[str]:
    """The project itself, editable: it lies at the same place in every sandbox. Not all can be."""
    package = any(name in files for name in ("setup.py", "setup.cfg")) or "[build-system]" in files.get(
        "pyproject.toml", ""
    )
    itself = [_install("--no-deps --editable .") + " || true"] if package else []
    return [*itself, _runners()]


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


def _declares(name: str, text: str) -> bool:
    """Whether a pyproject.toml names any dependency."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return False
    project = data.get("project", {})
    return bool(
        project.get("dependencies")
        or project.get("optional-dependencies")
        or data.get("dependency-groups")
        or "dependencies" in project.get("dynamic", ())
    )


def _groups(text: str) -> list[str]:
    groups = tomllib.loads(text).get("dependency-groups", {})
    return [f"--group {name}" for name in sorted(groups) if name in ("dev", "test", "tests")]


class Environments:
    """Builds and keeps environments below the state folder, one a repository and set of dependencies."""

    def __init__(self, workspaces: Workspaces, limits: Limits, *, unsafe: bool) -> None:
        self._workspaces = workspaces
        self._limits = limits
        self._unsafe = unsafe

    def prepare(self, mirror: Mirror, base: str, setup: Sequence[str]) -> Environment:
        """The environment of the base commit, built if it is not there. Raises `EnvironmentBroken`."""
        present = set(list_files(mirror.path, base))
        names = [name for name in (*_REQUIREMENTS, *_PROJECT, *_NODE, "uv.lock") if name in present]
        if any(path.startswith(f"{_MODULES}/") for path in present):
            names = [name for name in names if name not in _NODE]  # it brings its packages itself
        files = {name: (read_blob(mirror.path, base, name) or b"").decode(errors="replace") for name in names}
        variables = {"PYTHONPATH": "src"} if any(path.startswith("src/") for path in present) else {}
        commands = plan(files, setup)
        if not commands:
            return Environment(variables=variables)
        seed = json.dumps([sys.version, files, commands], sort_keys=True)
        key = hashlib.sha256(seed.encode()).hexdigest()[:24]
        home = self._workspaces.state_dir / "environments" / mirror.path.stem / key
        home.mkdir(parents=True, exist_ok=True)
        with (home / "lock").open("w") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            if not (home / "done").exists():
                self._build(mirror, base, commands, home)
        os.utime(home / "done")  # for whoever removes what was not used for long
        if not (home / "env" / "venv").exists():
            return Environment(folder=home / "env", variables=variables)
        venv = f"{home / 'env' if self._unsafe else INSIDE}/venv"
        search = f"{venv}/bin:{sys.prefix}/bin:/usr/local/bin:/usr/bin:/bin"
        return Environment(folder=home / "env", variables={**variables, "VIRTUAL_ENV": venv, "PATH": search})

    def _build(self, mirror: Mirror, base: str, commands: Sequence[str], home: Path) -> None:
        remove_tree(home / "env")
        (home / "env").mkdir()
        cache = home.parent / "cache"
        cache.mkdir(exist_ok=True)
        with self._workspaces.worktree(mirror, base, f"setup-{home.name}", "tree") as tree:
            sandbox = Sandbox(
                tree.root,
                writable={INSIDE: home / "env", _CACHE: cache},
                env={"UV_LINK_MODE": "copy", **_passed()},
                network=True,
                limits=self._limits.model_copy(update={"wall_s": _SECONDS, "disk_mb": _DISK_MB}),
                unsafe=self._unsafe,
            )
            sandbox.env["UV_CACHE_DIR"] = sandbox.path(_CACHE)
            for command in commands:
                line = command.replace(f"{INSIDE}/", f"{sandbox.path(INSIDE)}/")
                result = sandbox.run(["bash", "-c", line])
                if result.exit_code != 0:
                    lines = [line.strip() for line in result.output.splitlines() if line.strip()]
                    cause = " / ".join(lines[-4:])[:600] or "it printed nothing"
                    raise EnvironmentBroken(f"`{command[:200]}` failed: {cause}.")
        (home / "done").touch()


def _passed() -> dict[str, str]:
    found = {name: os.environ[name] for name in _PASSED if name in os.environ}
    if Path(_CERTIFICATES).exists():
        found["SSL_CERT_FILE"] = _CERTIFICATES
    return found
