"""The plan for a repository's environment, made from the files of one commit."""

import json
import re
from collections.abc import Sequence
from pathlib import PurePosixPath

from gherkin.values import Frozen
from runners.environment.finding.ci_steps import agent_steps, ci_steps, ci_variables
from runners.environment.finding.interpreters import Interpreter, choose
from runners.environment.finding.lock_files import lock_steps
from runners.environment.finding.other_languages import language_steps
from runners.environment.finding.parts import Package, Part, SetupCommand
from runners.environment.finding.python_projects import (
    dynamic_files,
    hatch_members,
    package_of,
    project_parts,
    tool_variables,
)
from runners.environment.finding.requirement_files import conda_parts, included, requirement_parts
from runners.environment.finding.sources import Sources, join, parent
from runners.environment.finding.test_runners import has_tox, nox_parts, nox_variables

_MANIFESTS = ("pyproject.toml", "setup.py", "setup.cfg", "Pipfile")
_NOT_OURS = re.compile(
    r"(^|/)(docs?|examples?|samples?|demos?|templates?|fixtures|testdata|vendor|node_modules|third[-_]party|\.\w+)(/|$)|(^|/)tests?/"
)
_MAX_PACKAGES = 20
_MAX_DEPTH = 3


class Plan(Frozen):
    """What is done to make an environment, in this order: `locks`, `parts`, `packages`, `commands`.

    `later` are parts and commands that are only tried when tests lack modules, and packages in subfolders for
    modules of the repository itself. `tox` and `nox` say whether there is a configuration of theirs;
    `variables` are set for the tests. `setup` are the repository's own commands: they replace all other
    steps, and only the compiled ones of `packages` remain. `python` is None if nothing of Python is
    installed.
    """

    python: Interpreter | None = None
    setup: tuple[str, ...] = ()
    locks: tuple[SetupCommand, ...] = ()
    parts: tuple[Part, ...] = ()
    packages: tuple[Package, ...] = ()
    commands: tuple[SetupCommand, ...] = ()
    tox: bool = False
    nox: bool = False
    variables: dict[str, str] = {}
    later_parts: tuple[Part, ...] = ()
    later_packages: tuple[Package, ...] = ()
    later_steps: tuple[SetupCommand, ...] = ()

    @property
    def empty(self) -> bool:
        """Return whether there is nothing to do."""
        return not (self.setup or self.parts or self.packages or self.commands or self.tox or self.nox)


def plan(
    sources: Sources, machine: Sequence[Interpreter], setup: Sequence[str] = (), touched: Sequence[str] = ()
) -> Plan:
    """Return how the environment of a commit is made.

    `setup` are the commands of the repository's own configuration. `touched` are paths that the task is
    about: of very many packages, those that contain them are taken. Raises `NoFittingPython`.
    """
    if setup:
        _named_files(sources, setup)
        own = package_of(sources)
        compiled = (own,) if own is not None and own.compiled else ()
        return Plan(python=choose(sources, machine), setup=tuple(setup), packages=compiled)
    commands = tuple(language_steps(sources))
    found = _python(sources, machine, touched)
    return found.model_copy(update={"commands": commands})


def _python(sources: Sources, machine: Sequence[Interpreter], touched: Sequence[str]) -> Plan:
    if not any(path.endswith(".py") for path in sources.paths) and not looks_like_dependencies(sources):
        return Plan()
    python = choose(sources, machine)
    version = python.version[:2]
    locks, parts = lock_steps(sources)
    locked = bool(parts)
    wanted, others = requirement_parts(sources, version)
    # pdm.lock need not hold every group.
    if not locked or "pdm.lock" in sources:
        parts += project_parts(sources)
    parts += nox_parts(sources)
    root = package_of(sources)
    dynamic_files(sources)
    # A lock file names what the root's own requirement files do; theirs are taken where they are for tests
    # alone.
    parts += [part.model_copy(update={"needed": part.needed and not locked}) for part in wanted]
    members = hatch_members(sources)
    packages = [package for package in [root, *(package_of(sources, each) for each in members)] if package]
    nested_parts, nested = _nested(sources, touched, [*members, ""])
    ci_parts, ci_commands = ci_steps(sources)
    agent_parts, agent_commands = agent_steps(sources)
    later = [*ci_parts, *agent_parts, *others]
    tox, nox = has_tox(sources), "noxfile.py" in sources
    later_packages: list[Package] = []
    if not parts and not packages and not tox:
        parts, packages = [*conda_parts(sources), *nested_parts], nested
        parts += [] if parts or packages else ci_parts
    elif "[tool.uv.workspace" in sources.text("pyproject.toml"):
        packages += nested
    else:
        later_packages, later = nested, [*nested_parts, *later, *_together(conda_parts(sources))]
    return Plan(
        python=python if parts or packages or tox or nox or locks else None,
        locks=tuple(locks),
        parts=tuple(parts),
        packages=tuple(packages),
        tox=tox,
        nox=nox,
        variables={**ci_variables(sources), **tool_variables(sources), **nox_variables(sources)},
        later_parts=tuple(later),
        later_packages=tuple(later_packages),
        later_steps=(*ci_commands, *agent_commands),
    )


def _together(parts: Sequence[Part]) -> list[Part]:
    """Return the parts joined to one; none if there are none."""
    words = tuple(word for part in parts for word in part.words)
    return [Part(source=parts[0].source, words=words)] if parts else []


def _nested(
    sources: Sources, touched: Sequence[str], known: Sequence[str]
) -> tuple[list[Part], list[Package]]:
    """Return the parts and packages of folders below the root.

    Of very many, those with touched paths come first.
    """
    manifests = (*_MANIFESTS, "requirements.txt", "requirements.in")
    holding = {parent(path) for path in sources.paths if PurePosixPath(path).name in manifests} - set(known)
    folders = sorted(
        each for each in holding if not _NOT_OURS.search(f"{each}/") and each.count("/") < _MAX_DEPTH
    )
    if len(folders) > _MAX_PACKAGES:
        folders.sort(key=lambda folder: not any(path.startswith(f"{folder}/") for path in touched))
    parts: list[Part] = []
    packages: list[Package] = []
    for folder in folders[:_MAX_PACKAGES]:
        parts += project_parts(sources, folder)
        for path in sorted(sources.below(folder)):
            if re.search(r"requirements[^/]*\.(txt|in)$", path):
                included(sources, path)
                parts.append(Part(source=path, words=("-r", path)))
        if package := package_of(sources, folder):
            packages.append(package)
    return parts, packages


def _named_files(sources: Sources, setup: Sequence[str]) -> None:
    """Read the files that commands name, so that the environment depends on their content."""
    for word in {word.strip("\"'") for line in setup for word in re.split(r"[\s=;&|]+", line)}:
        path = join("", re.sub(r"^-[rc]", "", word))
        if path in sources:
            included(sources, path)
    for name in (
        "pyproject.toml",
        "setup.cfg",
        "setup.py",
        "uv.lock",
        "poetry.lock",
        "pdm.lock",
        "Pipfile.lock",
    ):
        sources.text(name)


def looks_like_dependencies(sources: Sources) -> list[str]:
    """Return the files anywhere that may name dependencies, for a message to a maintainer."""
    pattern = re.compile(
        r"(^|/)([^/]*requirements?[^/]*\.(txt|in)|pyproject\.toml|setup\.(cfg|py)|Pipfile|environment\.ya?ml|[^/]*\.lock)$"
    )
    return [path for path in sources.paths if pattern.search(path)][:8]


def as_seed(plan: Plan, sources: Sources) -> str:
    """Return a text that identifies an environment: the plan, and all files that it was made from."""
    return json.dumps([plan.model_dump(), sources.used], sort_keys=True, default=str)
