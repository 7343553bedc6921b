"""Make an environment from a plan.

If something that is needed cannot be installed, that is an error; otherwise it is only noted.
"""

import re
import shlex
from collections.abc import Callable, Iterable, Sequence

from gherkin.errors import ScenaristError
from runners.environment.built import not_rebuilt
from runners.environment.finding.interpreters import Interpreter
from runners.environment.finding.lock_files import LOCKS
from runners.environment.finding.parts import Package, Part, SetupCommand
from runners.environment.finding.plan import Plan
from runners.environment.finding.python_projects import normal
from runners.environment.finding.test_names import TESTS_IN
from runners.environment.finding.test_runners import (
    LIST_NOX,
    READ_TOX,
    make_nox,
    make_tox,
    nox_session,
    tox_environment,
)
from runners.environment.missing import (
    LOOK_FOR_FIXTURES,
    OLD_SETUPTOOLS,
    MissingModules,
    missing_from,
    plugins_for_fixtures,
    well_known,
)
from runners.sandbox.process import CommandResult

INSIDE = "/env"
CACHE = "/cache"
VENV = f"{INSIDE}/venv"
BUILD = f"{INSIDE}/build"
_PYTHON = f"{VENV}/bin/python"
_SEED = f"{INSIDE}/seed.txt"
_FREEZE = f"uv pip freeze --quiet --exclude-editable --python {_PYTHON}"
_NAME = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)")
# setuptools finds several folders at the root that could be packages: nobody can install such a project.
_NO_PACKAGE = re.compile(
    r"Multiple top-level (packages|modules) discovered|Unable to determine which files to ship"
)
COLLECT = (
    f'cd "${{{TESTS_IN}:-.}}" && python -m pytest --collect-only -q --continue-on-collection-errors '
    "-o cache_dir=/tmp/pytest-cache"
)
# pytest rewrites its plugins' asserts when it loads them, and keeps the result where it may write: here, and
# not in later sandboxes.
_PRIME = (
    "nothing=$(mktemp -d); env -u PYTHONDONTWRITEBYTECODE "
    f'{_PYTHON} -m pytest --collect-only -p no:cacheprovider -c /dev/null --rootdir "$nothing" "$nothing" '
    ">/dev/null 2>&1 || true"
)
_MAX_TRIES = 12
_TELLING = re.compile(r"error|fatal|not found|no such|because|cannot|failed|unsatisfiable|mismatch", re.I)


class EnvironmentBroken(ScenaristError):
    """The repository's dependencies cannot be installed on its default branch."""

    code = "SCN-3201"
    next_step = (
        "Correct the dependencies, or set `setup:` in .scenarist.yml, then try again (on a forge: set the "
        "label again)."
    )


class Installer:
    """Carries out one plan.

    `run` runs a bash command line in the set-up sandbox, at the root of the checkout; `offline` runs one in a
    sandbox like that of the tests. Packages that take their version from git get `version`. `own_modules` are
    names of the repository's own modules. `notes` says what could not be done, one sentence each. `variables`
    are those that tox or nox sets for the tests, and `passed` patterns for the names of variables that they
    pass on.
    """

    def __init__(
        self,
        plan: Plan,
        run: Callable[[str], CommandResult],
        offline: Callable[[str], CommandResult],
        version: str,
        own_modules: frozenset[str] = frozenset(),
    ) -> None:
        self._plan = plan
        self._run = run
        self._offline = offline
        self._version = version
        self._modules = own_modules
        own = [*plan.packages, *plan.later_packages]
        self._own = {normal(package.name) for package in own if package.name}
        self.notes: list[str] = []
        self.variables: dict[str, str] = dict(plan.variables)
        self.passed: tuple[str, ...] = ("*",) if plan.nox else ()
        self._tox_name = ""
        self._tox_extras: tuple[str, ...] = ()

    def install(self) -> None:
        """Carry out the whole plan. Raises `EnvironmentBroken` if something that is needed fails."""
        plan = self._plan
        if plan.python is not None:
            self._must("uv", f"{self._venv(plan.python, VENV, '--seed')} && {_FREEZE} > {_SEED}")
        for line in plan.setup:
            self._must("setup", line)
        if plan.python is not None and not plan.setup:
            self._python(plan)
        compiled = [package for package in plan.packages if package.compiled]
        if plan.python is not None and any(not package.builder for package in compiled):
            self._builder(plan.python)
        for package in compiled:
            if package.builder:
                self.notes.append(not_rebuilt(package))
        for step in plan.commands:
            self._step(step)
        if plan.python is not None:
            self._must("pytest and behave", _runners())
            if not plan.setup:
                self._complete(plan)
            self._run(_PRIME)

    def _python(self, plan: Plan) -> None:
        if plan.locks:
            self._must("uv", f"mkdir -p {LOCKS}")
        for step in plan.locks:
            self._step(step)
        parts = [*plan.parts, *(self._tox(plan.python) if plan.tox and plan.python else ())]
        self._parts([self._without_own(part) for part in parts])
        for package in plan.packages:
            # Only the build knows which extras there are; tox may name some.
            more = self._tox_extras if package.with_dependencies and not package.folder else ()
            extras = tuple(dict.fromkeys([*package.extras, *more]))
            self._package(package.model_copy(update={"extras": extras}))

    def _tox(self, python: Interpreter) -> list[Part]:
        """Install what tox installs for the tests. A configuration that tox cannot read is named."""
        result = self._run(READ_TOX)
        if result.exit_code != 0:
            self.notes.append(f"tox's configuration could not be read: {cause(result)}.")
            return []
        found = tox_environment(result.output, python.version)
        if found is None:
            return []
        self.variables |= found.variables
        self.passed = (*self.passed, *found.passed)
        self._tox_name = found.name
        self._tox_extras = found.extras
        return list(found.parts)

    def _without_own(self, part: Part) -> Part:
        """Return a part without the packages of this repository, because a registry has other versions of
        them.
        """
        kept = [
            word
            for word in part.words
            if not ((match := _NAME.match(word)) and normal(match[1]) in self._own)
        ]
        return part.model_copy(update={"words": tuple(kept)})

    def _parts(self, parts: Sequence[Part]) -> None:
        """Install all parts at once, so that versions fit each other. If that fails, install the needed
        ones, then each other one.
        """
        parts = [part for part in parts if part.words]
        if not parts or self._pip([word for part in parts for word in part.words]).exit_code == 0:
            return
        needed = [part for part in parts if part.needed]
        if needed:
            line = [word for part in needed for word in part.words]
            result = self._pip(line)
            if result.exit_code != 0 and any(part.unlocked for part in needed):
                loose = self._pip([word for part in needed for word in part.unlocked or part.words])
                if loose.exit_code == 0:
                    self._note_unlocked(needed, result)
                    result = loose
            if result.exit_code != 0:
                raise EnvironmentBroken(
                    f"{', '.join(part.source for part in needed)} cannot be installed: {cause(result)}."
                )
        for part in parts:
            if not part.needed:
                self._optional(part)

    def _optional(self, part: Part) -> bool:
        """Install a part beside what is there already; whether that was possible. What was not is named.

        pip, setuptools and wheel may get other versions: nobody chose those of a new environment.
        """
        held = f"{INSIDE}/held.txt"
        self._run(f"{_FREEZE} | grep -vxFf {_SEED} > {held}")
        result = self._pip([*part.words, "-c", held])
        if result.exit_code != 0 and part.unlocked:
            loose = self._without_own(part.model_copy(update={"words": part.unlocked}))
            if self._pip([*loose.words, "-c", held]).exit_code == 0:
                self._note_unlocked([part], result)
                return True
        # Files that pin all versions, each for its own use, seldom fit together.
        pinned = result.exit_code != 0 and "-r" in part.words
        if pinned and self._pip([*part.words, "--override", held]).exit_code == 0:
            self._note_unlocked([part], result)
            return True
        if result.exit_code != 0:
            self.notes.append(f"{part.source} was left out, because it cannot be installed: {cause(result)}.")
        return result.exit_code == 0

    def _note_unlocked(self, parts: Sequence[Part], result: CommandResult) -> None:
        named = ", ".join(part.source for part in parts)
        self.notes.append(f"{named}: its exact versions cannot be installed, others were: {cause(result)}.")

    def _package(self, package: Package) -> None:
        """Install a package of the repository, editable: it has the same path in every sandbox."""
        place = f"./{package.folder}" if package.folder else "."
        flags = "" if package.with_dependencies else "--no-deps "
        extras = f"[{','.join(package.extras)}]" if package.extras else ""
        result = self._editable(flags, f"{place}{extras}")
        if result.exit_code != 0 and extras:
            result = self._editable(flags, place)
            for extra in package.extras if result.exit_code == 0 else ():
                self._optional(Part(source=f"extra `{extra}`", words=("--editable", f"{place}[{extra}]")))
        if result.exit_code != 0 and (names := well_known(missing_from(result.output).modules)):
            result = self._with_build_requirements(names, flags, place)
        if result.exit_code == 0:
            return
        told = f"The package in {package.folder or 'the root'} cannot be installed: {cause(result)}."
        if _NO_PACKAGE.search(result.output) or not package.needed:
            self.notes.append(told)
        else:
            raise EnvironmentBroken(told)

    def _with_build_requirements(self, names: Sequence[str], flags: str, place: str) -> CommandResult:
        """Install a package whose setup.py imports what no file says that its build needs.

        First with an older setuptools, then without a build environment of its own.
        """
        old = f"{INSIDE}/build-constraint.txt"
        self._run(f"echo {shlex.quote(OLD_SETUPTOOLS)} > {old}")
        result = self._editable(f"{flags}--build-constraint {old} ", place)
        if result.exit_code == 0:
            return result
        self._pip([OLD_SETUPTOOLS, "wheel", *names])
        return self._editable(f"{flags}--no-build-isolation ", place)

    def _editable(self, flags: str, what: str) -> CommandResult:
        """Return the words that install a package editable.

        They include `--refresh`, because a build that uv remembers leaves no files in a new checkout, which
        needs them.
        """
        names = ("SETUPTOOLS_SCM_PRETEND_VERSION", "PDM_BUILD_SCM_VERSION", "PBR_VERSION")
        version = " ".join(f"{name}={shlex.quote(self._version)}" for name in names) if self._version else ""
        words = f"uv pip install --quiet --refresh {flags}--python {_PYTHON} --editable {shlex.quote(what)}"
        return self._run(f"env {version} {words}" if version else words)

    def _builder(self, python: Interpreter) -> None:
        """Make a second virtual environment with the tools that build the package, for changes of its
        sources.
        """
        script = (
            "import tomllib, pathlib; p = pathlib.Path('pyproject.toml'); "
            "d = tomllib.loads(p.read_text()) if p.exists() else {}; "
            "print('\\n'.join(d.get('build-system', {}).get('requires', ['setuptools', 'wheel'])))"
        )
        line = (
            f"{self._venv(python, BUILD)} && python3 -c {shlex.quote(script)} > {INSIDE}/build.txt && "
            f"uv pip install --quiet --python {BUILD}/bin/python -r {INSIDE}/build.txt setuptools"
        )
        if (result := self._run(line)).exit_code != 0:
            self.notes.append(f"What builds the compiled parts cannot be installed: {cause(result)}.")

    def _complete(self, plan: Plan) -> None:
        """If tests lack modules, try other files that name dependencies, until no module is missing."""
        fixtures = plugins_for_fixtures(self._offline(LOOK_FOR_FIXTURES).output)
        if fixtures:
            self._optional(Part(source="Plugins whose fixtures the tests take", words=tuple(fixtures)))
        missing = self.missing()
        tried: set[str] = set()
        # pytest stops at the first one that it misses.
        while plugins := set(missing.plugins) - tried:
            for plugin in sorted(plugins):
                self._optional(Part(source=f"{plugin}, which pytest needs,", words=(plugin,)))
            tried |= plugins
            missing = self.missing()
        if missing.modules and plan.python and (self._tox_name or plan.nox):
            self._from_runner(plan.python)
            missing = self.missing()
        for part in plan.later_parts[:_MAX_TRIES]:
            if not missing.modules:
                break
            before = len(self.notes)
            if self._optional(self._without_own(part)):
                missing = self.missing()
            else:
                del self.notes[before:]  # it was an attempt and nothing that the tests are known to need
        if names := well_known(missing.modules):
            self._optional(Part(source="What the tests import", words=tuple(names)))
            missing = self.missing()
        if missing.own and plan.later_packages:
            for package in plan.later_packages:
                self._package(package)
            missing = self.missing()
        for step in plan.later_steps:
            if not missing.modules and not missing.own:
                break
            if self._run(step.line).exit_code == 0:
                missing = self.missing()

    def _from_runner(self, python: Interpreter) -> None:
        """Have tox or nox make its environment for the tests, and install what it contains.

        Tests do not run in it, because it may contain a copy of the package that a change of a checkout would
        not reach.
        """
        made = [make_tox(self._tox_name)] if self._tox_name else []
        if self._plan.nox:
            session = nox_session(self._run(LIST_NOX).output, python.version)
            made += [make_nox(session)] if session else []
        for line in made:
            result = self._run(line)
            lines = re.findall(r"^[\w.-]+(?:==| @ git\+).+$", result.output, re.M)
            part = self._without_own(Part(source="what tox or nox installs", words=tuple(lines)))
            if result.exit_code == 0 and part.words:
                self._optional(part)

    def missing(self) -> MissingModules:
        """Return what the tests cannot import when they are collected."""
        return missing_from(self._offline(COLLECT).output, self._modules)

    def _step(self, step: SetupCommand) -> None:
        if step.needed:
            self._must(step.source, step.line)
        elif (result := self._run(step.line)).exit_code != 0:
            self.notes.append(f"`{step.line[:200]}` of {step.source} failed: {cause(result)}.")

    def _must(self, source: str, line: str) -> None:
        result = self._run(line)
        if result.exit_code != 0:
            told = f"`{line[:200]}` failed" if source == "setup" else f"{source} cannot be installed"
            raise EnvironmentBroken(f"{told}: {cause(result)}.")

    def _pip(self, words: Iterable[str]) -> CommandResult:
        return self._run(f"uv pip install --quiet --python {_PYTHON} {shlex.join(words)}")

    @staticmethod
    def _venv(python: Interpreter, place: str, flags: str = "") -> str:
        return f"uv venv --quiet {flags} --python {shlex.quote(python.path)} {place}"


def _runners() -> str:
    """behave and pytest are brought where the repository does not have them; its own versions stay."""
    return (
        f'for name in behave pytest coverage; do {_PYTHON} -c "import $name" 2>/dev/null || '
        f"uv pip install --quiet --python {_PYTHON} $name; done"
    )


def cause(result: CommandResult) -> str:
    """Return why a command failed, in one line: the first lines that name an error, and the last ones."""
    if result.timed_out:
        return f"it did not end within {result.duration_s:.0f} s"
    lines = [line.strip(" \t│├╰─▶×") for line in result.output.splitlines()]
    lines = [line for line in lines if line and not line.startswith(("hint:", "[stdout]", "[stderr]"))]
    telling = [line for line in lines if _TELLING.search(line)]
    shown = list(dict.fromkeys([*telling[:2], *lines[-2:]]))
    return " / ".join(shown)[:600].rstrip(".") or "it printed nothing"
