"""Read what lock files pin, with their own tools, or from the file itself if it says everything."""

import re
import shlex
from collections.abc import Mapping
from typing import Any

from runners.environment.finding.parts import Part, SetupCommand
from runners.environment.finding.python_projects import compatible, project_parts
from runners.environment.finding.sources import Sources, strings, table

LOCKS = "/env/locks"


def lock_steps(sources: Sources) -> tuple[list[SetupCommand], list[Part]]:
    """Return how the root's lock file is read: commands that write requirement files, and what these files
    are.
    """
    steps, parts = _locked(sources)
    declared = {part.source: part.words for part in project_parts(sources)} if parts else {}

    def unlocked(source: str) -> tuple[str, ...]:
        name = re.sub(r"\S+\.lock$", "pyproject.toml", source)
        return declared.get(name) or declared.get(f"Poetry's {name}") or ()

    return steps, [part.model_copy(update={"unlocked": unlocked(part.source)}) for part in parts]


def _locked(sources: Sources) -> tuple[list[SetupCommand], list[Part]]:
    pyproject = sources.toml("pyproject.toml")
    if "uv.lock" in sources:
        sources.text("uv.lock")
        return _uv(pyproject)
    if "poetry.lock" in sources:
        sources.text("poetry.lock")
        return _poetry_lock(pyproject)
    if "Pipfile.lock" in sources:
        sources.text("Pipfile.lock")
        out = f"{LOCKS}/pipenv.txt"
        # Pipenv names the public index, where an operator may have another.
        line = f"uv tool run --quiet pipenv requirements --dev | grep -v '^-i ' > {out}"
        return [SetupCommand(source="Pipfile.lock", line=f"set -o pipefail; {line}", needed=True)], [
            Part(source="Pipfile.lock", words=("-r", out), needed=True)
        ]
    if "pylock.toml" in sources:
        sources.text("pylock.toml")
        return [], [Part(source="pylock.toml", words=("-r", "pylock.toml"), needed=True)]
    return [], _pdm_lock(sources)


def _pdm_lock(sources: Sources) -> list[Part]:
    """Return what pdm.lock pins, a part for each of its groups.

    https://pdm-project.org/en/latest/usage/lockfile/
    """
    lock = sources.toml("pdm.lock")
    by_group: dict[str, list[str]] = {}
    listed = lock.get("package")
    for package in listed if isinstance(listed, list) else ():
        line = _pinned(package) if isinstance(package, dict) else ""
        for group in strings(table(package).get("groups")) or ["default"]:
            by_group.setdefault(group, []).extend([line] if line else [])
    return [
        Part(
            source=f"group `{name}` of pdm.lock", words=tuple(dict.fromkeys(lines)), needed=name == "default"
        )
        for name, lines in by_group.items()
        if lines
    ]


def _pinned(package: Mapping[str, Any]) -> str:
    """Return a package of pdm.lock as a requirement; empty for one of the repository itself."""
    name, version = str(package.get("name", "")), str(package.get("version", ""))
    if not name or "path" in package:
        return ""
    extras = f"[{','.join(strings(package.get('extras')))}]" if package.get("extras") else ""
    if "git" in package:
        place = f" @ git+{package['git']}@{package.get('revision', 'HEAD')}"
    elif "url" in package:
        place = f" @ {package['url']}"
    else:
        place = f"=={version}"
    marker = f" ; {package['marker']}" if isinstance(package.get("marker"), str) else ""
    return f"{name}{extras}{place}{marker}"


def _uv(pyproject: Mapping[str, Any]) -> tuple[list[SetupCommand], list[Part]]:
    export = (
        "uv export --quiet --frozen --all-packages --no-emit-workspace --no-hashes --no-annotate --no-header"
    )
    main = Part(source="uv.lock", words=("-r", f"{LOCKS}/main.txt"), needed=True)
    lines = [f"{export} --no-default-groups --output-file {LOCKS}/main.txt"]
    parts = [main]
    extras = list(table(pyproject, "project", "optional-dependencies"))
    groups = list(table(pyproject, "dependency-groups"))
    if strings(table(pyproject, "tool", "uv").get("dev-dependencies")) and "dev" not in groups:
        groups.append("dev")
    wanted = [("extra", each) for each in compatible(pyproject, "extra", extras)]
    wanted += [("only-group", each) for each in compatible(pyproject, "group", groups)]
    for number, (option, name) in enumerate(wanted):
        out = f"{LOCKS}/{number}.txt"
        more = "" if option == "only-group" else " --no-default-groups"
        lines.append(f"{export}{more} --{option} {shlex.quote(name)} --output-file {out}")
        parts.append(Part(source=f"{option.removeprefix('only-')} `{name}` of uv.lock", words=("-r", out)))
    return [SetupCommand(source="uv.lock", line=" && ".join(lines), needed=True)], parts


def _poetry_lock(pyproject: Mapping[str, Any]) -> tuple[list[SetupCommand], list[Part]]:
    poetry = table(pyproject, "tool", "poetry")
    tool = (
        "uv tool run --quiet --from poetry --with poetry-plugin-export poetry export --no-interaction "
        "--without-hashes"
    )
    groups = list(dict.fromkeys([*table(poetry, "group"), *table(pyproject, "dependency-groups")]))
    if table(poetry, "dev-dependencies"):
        groups.append("dev")
    extras = [*table(poetry, "extras"), *table(pyproject, "project", "optional-dependencies")]
    lines = [f"{tool} --only main --output {LOCKS}/main.txt"]
    parts = [Part(source="poetry.lock", words=("-r", f"{LOCKS}/main.txt"), needed=True)]
    if extras:
        lines.append(f"{tool} --only main --all-extras --output {LOCKS}/extras.txt")
        parts.append(Part(source="extras of poetry.lock", words=("-r", f"{LOCKS}/extras.txt")))
    for name in groups:
        out = f"{LOCKS}/group-{len(parts)}.txt"
        lines.append(f"{tool} --only {shlex.quote(name)} --output {out}")
        parts.append(Part(source=f"group `{name}` of poetry.lock", words=("-r", out)))
    return [SetupCommand(source="poetry.lock", line=" && ".join(lines), needed=True)], parts
