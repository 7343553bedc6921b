"""The repository's own dependencies: installed once, before a model takes part, then read-only.

Only the commands of this step can reach a network, and there only package registries. It works only on the
base commit, so nothing that a model wrote is ever run with a network.
"""

import fcntl
import hashlib
import json
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from pydantic import ValidationError

from runners.counted import count
from runners.environment.built import collect, lay, sources_digest
from runners.environment.finding.interpreters import Interpreter, interpreters
from runners.environment.finding.parts import Package
from runners.environment.finding.plan import Plan, as_seed, plan
from runners.environment.finding.python_projects import COMPILED
from runners.environment.finding.sources import Sources
from runners.environment.finding.test_names import other_test_modules, pytest_variables
from runners.environment.finding.unset import found_services
from runners.environment.install import CACHE, INSIDE, EnvironmentBroken, Installer
from runners.environment.made import Environment, Made
from runners.environment.registries import Proxy, hosts_of, operator_settings
from runners.environment.services import is_here
from runners.git.command import tree_entries
from runners.git.lfs import Pointer, kept, pointers_of
from runners.git.modules import Submodule, is_fetched, modules_of, unpack
from runners.git.versions import version_of
from runners.git.workspaces import Mirror, Workspaces, Worktree
from runners.sandbox.bubblewrap import Sandbox
from runners.sandbox.limits import CommandLimits
from runners.sandbox.process import CommandResult
from runners.sandbox.removal import remove_tree

__all__ = ["Environment", "EnvironmentBroken", "Environments"]

_SCRIPTS = "/opt/scenarist-setup"
_SCRIPTS_HERE = Path(__file__).parent / "inside"
_PROXY = "/run/scenarist"
_SECONDS = 900.0
# With the packages of other environments, which are kept beside it.
_DISK_MB = 100_000.0
# Written anew when environments are made in another way.
_FORMAT = 3
# Tests run without a network. Those that need one would wait until a package manager has tried several times.
_OFFLINE = {"PIP_RETRIES": "0", "UV_HTTP_RETRIES": "0", "npm_config_fetch_retries": "0"}
# How many missing submodules or files are named.
_NAMED = 5


class Environments:
    """Builds and keeps environments below the state folder, one for each repository and set of dependencies.

    `registries` are hosts that the set-up step may reach besides the public registries and those that this
    machine's package managers are configured for. `variables` are the operator's own, which tests see if the
    repository's tox or nox passes them.
    """

    def __init__(
        self,
        workspaces: Workspaces,
        limits: CommandLimits,
        *,
        unsafe: bool,
        registries: Sequence[str] = (),
        variables: Mapping[str, str] | None = None,
    ) -> None:
        self._workspaces = workspaces
        self._limits = limits
        self._unsafe = unsafe
        self._registries = tuple(registries)
        self._variables = dict(variables or {})

    def prepare(
        self,
        mirror: Mirror,
        base: str,
        setup: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        services: Sequence[str] | None = None,
        touched: Sequence[str] = (),
    ) -> Environment:
        """Return the environment of the commit `base`; it is built if it does not exist.

        `setup`, `env` and `services` are the keys of the repository's configuration; without `services`,
        those that its CI starts are taken if this machine has them. `touched` are paths that the task is
        about, for repositories of several packages. Raises `EnvironmentBroken` and `NoFittingPython`.
        """
        sources = Sources.of_commit(mirror.path, base)
        of_sources = {**({} if self._unsafe else _OFFLINE), **pytest_variables(sources)}
        planned = plan(sources, interpreters(), setup, touched)
        own = {**(env or {})}
        found = found_services(sources) if services is None else ()
        started = tuple(name for name in found if is_here(name)) if services is None else tuple(services)
        absent = tuple(
            f"The repository's CI starts {name}, which is not on this machine: tests that need it cannot run."
            for name in found
            if name not in started
        )
        if others := other_test_modules(sources):
            shown = ", ".join(others[:_NAMED])
            absent = (*absent, f"pytest is told to collect {shown} too: by itself it finds no tests.")
        modules = modules_of(mirror, base)
        here = [module for module in modules if is_fetched(mirror, module)]
        lacking = [each for each in pointers_of(mirror.path, base) if not kept(mirror.path, each)]
        absent = (*absent, *_not_in_checkout([each for each in modules if each not in here], lacking))
        if planned.empty and not here:
            return Environment(variables={**of_sources, **own}, services=started, notes=absent)
        seed = (
            f"{_FORMAT}\0{sys.version}\0{as_seed(planned, sources)}\0{self._compiled(planned, mirror, base)}"
            f"\0{here}"
        )
        key = hashlib.sha256(seed.encode(errors="replace")).hexdigest()[:24]
        home = self._workspaces.state_dir / "environments" / mirror.path.stem / key
        home.mkdir(parents=True, exist_ok=True)
        with (home / "lock").open("w") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            made = _read(home / "done")
            count("environment looked up", "miss" if made is None else "hit")
            if made is None:
                made = self._build(mirror, base, planned, sources, home, here)
        os.utime(home / "done")  # for whoever removes what was not used for long
        inside = str(home / "env") if self._unsafe else INSIDE
        passed = {
            name: value
            for name, value in self._variables.items()
            if any(fnmatchcase(name, pattern) for pattern in made.passed)
        }
        variables = {
            **of_sources,
            **passed,
            **made.variables,
            **_variables(home / "env", inside, planned.python),
            **own,
        }
        return Environment(
            folder=home / "env",
            variables=variables,
            services=started,
            notes=(*made.notes, *absent),
            python=planned.python,
            built=made.built,
            sources=made.sources,
            packages=tuple(each for each in planned.packages if each.compiled),
        )

    @staticmethod
    def _compiled(planned: Plan, mirror: Mirror, base: str) -> str:
        """Return what stands for the commit where its environment holds something that was compiled from
        it.
        """
        folders = [each.folder or "." for each in planned.packages if each.compiled]
        if not folders:
            return ""
        entries = tree_entries(mirror.path, base, *folders)
        return json.dumps([(each.path, each.blob) for each in entries if each.path.endswith(COMPILED)])

    def _build(
        self,
        mirror: Mirror,
        base: str,
        planned: Plan,
        sources: Sources,
        home: Path,
        modules: Sequence[Submodule],
    ) -> Made:
        remove_tree(home / "env")
        (home / "done").unlink(missing_ok=True)
        (home / "env" / "built").mkdir(parents=True)
        cache = home.parent / "cache"
        cache.mkdir(exist_ok=True)
        compiled: list[Package] = [each for each in planned.packages if each.compiled]
        settings = operator_settings()
        hosts = [*self._registries, *hosts_of(settings)]
        with (
            self._workspaces.worktree(mirror, base, f"setup-{home.name}", "tree") as tree,
            tempfile.TemporaryDirectory(prefix="scenarist-proxy-") as folder,
            Proxy(Path(folder) / "proxy", hosts) as proxy,
        ):
            Path(folder).chmod(0o755)
            built = home / "env" / "built"
            for module in modules:
                unpack(mirror, module, built)
            laid = [str(path.relative_to(built)) for path in sorted(built.rglob("*")) if path.is_file()]
            lay(built, laid, tree.root)
            online = self._online(tree, planned.python, home / "env", cache, settings, Path(folder))
            offline = self._offline(tree, planned.python, home / "env", pytest_variables(sources))

            def run(line: str) -> CommandResult:
                words = ["bash", "-c", line] if self._unsafe else _behind_proxy(["bash", "-c", line])
                line_there = (
                    [word.replace(f"{INSIDE}/", f"{online.path(INSIDE)}/") for word in words]
                    if self._unsafe
                    else words
                )
                if self._unsafe:
                    line_there = [word.replace(f"{CACHE}/", f"{online.path(CACHE)}/") for word in line_there]
                return online.run(line_there)

            installer = Installer(
                planned,
                run,
                lambda line: offline.run(["bash", "-c", line]),
                version_of(mirror.path, base, sources.glance("PKG-INFO")),
                own_modules(sources),
            )
            try:
                installer.install()
            except EnvironmentBroken as error:
                raise _with_refused(error, proxy) from None
            made = Made(
                notes=(*installer.notes, *_refused(proxy)),
                variables=installer.variables,
                passed=installer.passed,
                sources=sources_digest(tree.root, compiled) if compiled else "",
                built=tuple(dict.fromkeys([*laid, *collect(tree, built)])),
            )
        (home / "done").write_text(made.model_dump_json())
        return made

    def _online(
        self,
        tree: Worktree,
        python: Interpreter | None,
        env: Path,
        cache: Path,
        settings: Mapping[str, str],
        proxy: Path,
    ) -> Sandbox:
        """Return the set-up sandbox: it reaches the proxy, and may write the environment."""
        sandbox = Sandbox(
            tree.root,
            read_only={**(python.mounts if python else {}), _SCRIPTS: _SCRIPTS_HERE, _PROXY: proxy},
            writable={INSIDE: env, CACHE: cache},
            # Later sandboxes see it read-only and could keep no bytecode: each start would compile it anew.
            env={
                "UV_LINK_MODE": "copy",
                "UV_COMPILE_BYTECODE": "1",
                "UV_PYTHON_DOWNLOADS": "never",
                **settings,
            },
            limits=self._limits.model_copy(
                update={"wall_s": _SECONDS, "cpu_s": _SECONDS, "disk_mb": _DISK_MB}
            ),
            unsafe=self._unsafe,
        )
        inside = sandbox.path(INSIDE)
        sandbox.env["UV_CACHE_DIR"] = sandbox.path(CACHE)
        sandbox.env["PIP_CACHE_DIR"] = f"{sandbox.path(CACHE)}/pip"
        # So that a plain `pip install` or `python` means the environment.
        sandbox.env |= {"VIRTUAL_ENV": f"{inside}/venv", "PATH": _search(f"{inside}/venv")}
        return sandbox

    def _offline(
        self, tree: Worktree, python: Interpreter | None, env: Path, more: Mapping[str, str]
    ) -> Sandbox:
        """Return a sandbox as tests have it, to see whether they can be collected."""
        inside = str(env) if self._unsafe else INSIDE
        return Sandbox(
            tree.root,
            read_only={**(python.mounts if python else {}), INSIDE: env},
            env={
                **more,
                **_variables(env, inside, python),
            },
            limits=self._limits,
            unsafe=self._unsafe,
        )


def _behind_proxy(command: list[str]) -> list[str]:
    return [sys.executable, f"{_SCRIPTS}/scenarist_setup.py", f"{_PROXY}/proxy", *command]


def _search(venv: str) -> str:
    return f"{venv}/bin:{sys.prefix}/bin:/usr/local/bin:/usr/bin:/bin"


def _variables(env: Path, inside: str, python: Interpreter | None) -> dict[str, str]:
    """Return what commands are told of the folder `env`, which they find at `inside`."""
    found: dict[str, str] = {}
    if (env / "go").exists():
        found |= {"GOMODCACHE": f"{inside}/go", "GOPROXY": "off", "GOTOOLCHAIN": "local"}
    if (env / "cargo").exists():
        found |= {"CARGO_HOME": f"{inside}/cargo", "CARGO_NET_OFFLINE": "true"}
    if python is not None:
        found |= {"VIRTUAL_ENV": f"{inside}/venv", "PATH": _search(f"{inside}/venv")}
    return found


def own_modules(sources: Sources) -> frozenset[str]:
    """Return the names under which modules of the repository itself may be imported."""
    found: set[str] = set()
    for path in sources.paths:
        if path.endswith((".py", ".pyx", ".pyi")):
            found |= {part.partition(".")[0] for part in path.split("/")}
    return frozenset(found)


def _not_in_checkout(modules: Sequence[Submodule], files: Sequence[Pointer]) -> list[str]:
    """Return what a checkout of the commit lacks, one sentence each: submodules, and files of Git LFS."""
    notes = []
    if modules:
        notes.append(
            f"Submodules are not in the checkout ({_first(modules)}): tests that read them cannot run. Those "
            "are fetched that lie on the repository's own server and that its credential opens."
        )
    if files:
        notes.append(
            f"Files of Git LFS are only pointers in the checkout ({_first(files)}): tests that read them "
            "cannot run. Those are fetched that the repository's own server gives to its credential."
        )
    return notes


def _first(missing: Sequence[Submodule] | Sequence[Pointer]) -> str:
    shown = ", ".join(each.path for each in missing[:_NAMED])
    return shown + (f" and {len(missing) - _NAMED} more" if len(missing) > _NAMED else "")


def _refused(proxy: Proxy) -> list[str]:
    if not proxy.refused:
        return []
    hosts = ", ".join(sorted(proxy.refused)[:5])
    return [f"The set-up wanted to reach {hosts}, which is none of the package registries that it may reach."]


def _with_refused(error: EnvironmentBroken, proxy: Proxy) -> EnvironmentBroken:
    more = _refused(proxy)
    if not more:
        return error
    return EnvironmentBroken(
        f"{error.message} {more[0]} The operator may allow it with SCENARIST_REGISTRIES."
    )


def _read(done: Path) -> Made | None:
    """Return what is known of an environment that was made to its end; None if there is none."""
    try:
        return Made.model_validate_json(done.read_text())
    except (OSError, ValidationError):
        return None
