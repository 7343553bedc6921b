"""The repository's own dependencies: installed once per lock file, before a model takes part, then read-only.

This is the only step whose commands may reach the network. It works on the base commit alone, so that
nothing a model wrote is ever run with a network.
"""

import fcntl
import hashlib
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from gherkin.errors import ScenaristError
from gherkin.values import Frozen
from runners.environment.dependencies import CACHE, CARGO, FILES, GO, INSIDE, NODE, plan
from runners.git.command import list_files, read_blob
from runners.git.removal import remove_tree
from runners.git.workspaces import Mirror, Workspaces
from runners.sandbox.bubblewrap import WORKSPACE, Limits, Sandbox

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
    "GOPROXY",
    "GOPRIVATE",
    "GONOSUMDB",
    "GOSUMDB",
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


class Environments:
    """Builds and keeps environments below the state folder, one a repository and set of dependencies."""

    def __init__(self, workspaces: Workspaces, limits: Limits, *, unsafe: bool) -> None:
        self._workspaces = workspaces
        self._limits = limits
        self._unsafe = unsafe

    def prepare(self, mirror: Mirror, base: str, setup: Sequence[str]) -> Environment:
        """The environment of the base commit, built if it is not there. Raises `EnvironmentBroken`."""
        present = set(list_files(mirror.path, base))
        names = [name for name in FILES if name in present]
        if any(path.startswith(f"{_MODULES}/") for path in present):
            names = [name for name in names if name not in NODE]  # it brings its packages itself
        if "vendor/modules.txt" in present:
            names = [name for name in names if name not in GO]
        if ".cargo/config.toml" in present and any(path.startswith("vendor/") for path in present):
            names = [name for name in names if name not in CARGO]
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
        inside = home / "env" if self._unsafe else INSIDE
        if (home / "env" / "go").exists():
            variables |= {"GOMODCACHE": f"{inside}/go", "GOPROXY": "off", "GOTOOLCHAIN": "local"}
        if (home / "env" / "cargo").exists():
            variables |= {"CARGO_HOME": f"{inside}/cargo", "CARGO_NET_OFFLINE": "true"}
        if not (home / "env" / "venv").exists():
            return Environment(folder=home / "env", variables=variables)
        venv = f"{inside}/venv"
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
                writable={INSIDE: home / "env", CACHE: cache},
                # Sandboxes see it read-only and could keep no bytecode: each start of a test runner would compile it anew.
                env={"UV_LINK_MODE": "copy", "UV_COMPILE_BYTECODE": "1", **_passed()},
                network=True,
                limits=self._limits.model_copy(update={"wall_s": _SECONDS, "disk_mb": _DISK_MB}),
                unsafe=self._unsafe,
            )
            sandbox.env["UV_CACHE_DIR"] = sandbox.path(CACHE)
            for command in commands:
                line = command.replace(f"{INSIDE}/", f"{sandbox.path(INSIDE)}/")
                line = line.replace(f"{CACHE}/", f"{sandbox.path(CACHE)}/")
                result = sandbox.run(["bash", "-c", line])
                if result.exit_code != 0:
                    lines = [line.strip() for line in result.output.splitlines() if line.strip()]
                    cause = " / ".join(lines[-4:])[:600] or "it printed nothing"
                    raise EnvironmentBroken(f"`{command[:200]}` failed: {cause}.")
        (home / "done").touch()


def _passed() -> dict[str, str]:
    found = {name: os.environ[name] for name in _PASSED if name in os.environ}
    if Path(_CERTIFICATES).exists():
        found["SSL_CERT_FILE"] = found["NODE_EXTRA_CA_CERTS"] = _CERTIFICATES
    return found
