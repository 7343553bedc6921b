"""An environment that was made, and sandboxes with it."""

import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from gherkin.values import Frozen
from runners.environment.built import lay, rebuild, sources_digest
from runners.environment.finding.interpreters import Interpreter
from runners.environment.finding.parts import Package
from runners.environment.install import BUILD, INSIDE
from runners.environment.services import launcher
from runners.sandbox.bubblewrap import WORKSPACE, Sandbox
from runners.sandbox.limits import CommandLimits
from runners.sandbox.process import CommandResult

# Node looks for packages in the folders above a file, so they have to appear in the workspace itself.
_MODULES = "node_modules"


class Made(Frozen):
    """What is stored about an environment beside its folder; see `Environment` for the fields.

    `passed` are patterns for the names of the operator's variables that tox or nox passes on to tests.
    """

    notes: tuple[str, ...] = ()
    variables: dict[str, str] = {}
    passed: tuple[str, ...] = ()
    built: tuple[str, ...] = ()
    sources: str = ""


class Environment(Frozen):
    """What commands get besides the workspace: `folder` at ``/env`` (None: nothing), and variables.

    `notes` are sentences about what could not be installed. `built` are files that the set-up made in the
    checkout, kept in `folder`. `packages` are compiled ones, and `sources` is the digest of their sources.
    `services` are started for suites.
    """

    folder: Path | None = None
    variables: dict[str, str] = {}
    services: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    python: Interpreter | None = None
    built: tuple[str, ...] = ()
    sources: str = ""
    packages: tuple[Package, ...] = ()

    @property
    def mounts(self) -> dict[str, Path]:
        """Return what sandboxes see read-only, by path inside."""
        if self.folder is None:
            return {}
        modules = self.folder / "node" / _MODULES
        shown = {f"{WORKSPACE}/{_MODULES}": modules} if modules.is_dir() else {}
        return {**(self.python.mounts if self.python else {}), INSIDE: self.folder, **shown}

    def sandbox(
        self,
        root: Path,
        read_only: Mapping[str, Path],
        writable: Mapping[str, Path],
        *,
        limits: CommandLimits,
        unsafe: bool = False,
        ended: Callable[[CommandResult], None] | None = None,
    ) -> Sandbox:
        """Return a sandbox of the checkout `root` with the environment in it, read-only.

        Before each command, missing built files are put there, and compiled ones are compiled again if their
        sources have changed. If that fails, its output is the command's.
        """
        sandbox = Sandbox(
            root,
            read_only={**self.mounts, **read_only},
            writable=writable,
            env=self.variables,
            limits=limits,
            unsafe=unsafe,
            ended=ended,
        )
        launcher(sandbox, self.services)
        if self.built or self.packages:
            sandbox.before = _Refresh(self, root, limits, unsafe=unsafe)
        return sandbox


class _Refresh:
    """Keeps the built files of one checkout up to date."""

    def __init__(self, environment: Environment, root: Path, limits: CommandLimits, *, unsafe: bool) -> None:
        self._environment = environment
        self._root = root
        self._limits = limits
        self._unsafe = unsafe
        self._mark = root.parent / "compiled"
        self._lock = threading.Lock()

    def __call__(self) -> CommandResult | None:
        environment = self._environment
        if environment.folder is None:
            return None
        with self._lock:
            lay(environment.folder / "built", environment.built, self._root)
            if not environment.packages:
                return None
            now = sources_digest(self._root, environment.packages)
            if now == (self._mark.read_text() if self._mark.exists() else environment.sources):
                return None
            sandbox = Sandbox(
                self._root,
                read_only=environment.mounts,
                env={**environment.variables, "PYTHONPATH": ""},
                limits=self._limits,
                unsafe=self._unsafe,
            )
            python = f"{sandbox.path(BUILD)}/bin/python"
            failed = rebuild(environment.packages, python, lambda line: sandbox.run(["bash", "-c", line]))
            if failed is None:  # building may write sources of its own
                self._mark.write_text(sources_digest(self._root, environment.packages))
            return failed
