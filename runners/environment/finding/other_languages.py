"""Find the dependencies of repositories in other languages: npm, Go and Cargo."""

import json
import re

from runners.environment.finding.parts import SetupCommand
from runners.environment.finding.sources import Sources

_NODE = ("package.json", "package-lock.json", "npm-shrinkwrap.json")


def language_steps(sources: Sources) -> list[SetupCommand]:
    """Return the commands that install what the root's files of other languages name.

    A repository that contains its packages itself (node_modules, vendor) needs none.
    """
    return [*_node(sources), *_go(sources), *_cargo(sources)]


def _brings(sources: Sources, folder: str) -> bool:
    return any(path.startswith(f"{folder}/") for path in sources.paths)


def _node(sources: Sources) -> list[SetupCommand]:
    """Return commands for npm's packages, in a folder of their own; none of their install scripts is run."""
    try:
        package = json.loads(sources.text("package.json") or "{}")
        wanted = any(package.get(kind) for kind in ("dependencies", "devDependencies"))
    except (ValueError, AttributeError):
        return []
    if not wanted or _brings(sources, "node_modules"):
        return []
    for name in _NODE[1:]:
        sources.text(name)
    names = [name for name in _NODE if name in sources]
    verb = "ci" if len(names) > 1 else "install --no-package-lock"
    flags = "--ignore-scripts --no-audit --no-fund --loglevel=error"
    line = (
        f"mkdir -p /env/node && cp {' '.join(names)} /env/node/ && cd /env/node && "
        f"HOME=/env/node npm {verb} {flags} --cache /cache/npm"
    )
    return [SetupCommand(source="package.json", line=line, needed=True)]


def _go(sources: Sources) -> list[SetupCommand]:
    """Return commands for Go's modules if go.mod requires any, unless it needs a later Go than there is."""
    if (
        not re.search(r"^\s*require\b", sources.text("go.mod"), re.MULTILINE)
        or "vendor/modules.txt" in sources
    ):
        return []
    sources.text("go.sum")
    line = "GOMODCACHE=/env/go GOCACHE=/cache/go-build GOFLAGS=-modcacherw GOTOOLCHAIN=local go mod download"
    return [SetupCommand(source="go.mod", line=line, needed=True)]


def _cargo(sources: Sources) -> list[SetupCommand]:
    """Return commands for Cargo's packages if a manifest names any, also that of a workspace's member."""
    pattern = r"^\s*\[([^\]]*\bdependencies\b|(dev|build)-dependencies|workspace)"
    if not re.search(pattern, sources.text("Cargo.toml"), re.MULTILINE):
        return []
    if ".cargo/config.toml" in sources and _brings(sources, "vendor"):
        return []
    sources.text("Cargo.lock")
    locked = " --locked" if "Cargo.lock" in sources else ""
    return [
        SetupCommand(
            source="Cargo.toml", line=f"CARGO_HOME=/env/cargo cargo fetch --quiet{locked}", needed=True
        )
    ]
