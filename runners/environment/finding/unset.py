"""Find values for configuration keys that a repository has not set: suites, services, behave's command."""

import json
import re
from typing import Any

import yaml

from runners.environment.finding.sources import Sources, parent, table
from runners.environment.finding.test_commands import found_command
from runners.verify.suites.foreign import TestSuite

_COMPOSE = re.compile(r"(^|.*/)(docker-)?compose[\w.-]*\.ya?ml")
_IMAGES = {"postgres": re.compile(r"(^|/)postgres(:|$)"), "redis": re.compile(r"(^|/)(redis|valkey)(:|$)")}


def found_suites(sources: Sources) -> tuple[str | TestSuite, ...]:
    """Return the tools that run the repository's tests; empty if pytest, which also runs unittest's, is
    the only one.
    """
    found: list[str | TestSuite] = []
    if any(path.endswith(".py") for path in sources.paths):
        found.append(found_command(sources) or "pytest")
    try:
        package = json.loads(sources.glance("package.json") or "{}")
        listed = {name for kind in ("dependencies", "devDependencies") for name in package.get(kind) or ()}
    except (ValueError, AttributeError, TypeError, RecursionError):
        listed = set()
    found += [name for name in ("vitest", "jest") if name in listed][:1]
    if "go.mod" in sources and any(path.endswith("_test.go") for path in sources.paths):
        found.append("go")
    if "Cargo.toml" in sources:
        found.append("cargo")
    return tuple(found) if found != ["pytest"] else ()


def found_services(sources: Sources) -> tuple[str, ...]:
    """Return the services that the CI or a compose file starts and that can be started beside a suite."""
    images: list[str] = []
    for path in sources.paths:
        if re.fullmatch(r"\.github/workflows/[^/]+\.ya?ml", path):
            jobs = table(_yaml(sources.glance(path)), "jobs")
            images += [image for job in jobs.values() for image in _images(table(job, "services"))]
        elif _COMPOSE.fullmatch(path) and path.count("/") < 2:
            images += _images(table(_yaml(sources.glance(path)), "services"))
    return tuple(name for name, pattern in _IMAGES.items() if any(pattern.search(image) for image in images))


def found_behave(sources: Sources) -> str:
    """Return the command for behave if Django's settings must be loaded for it; empty: behave itself."""
    manage = sorted((path for path in sources.paths if path.rpartition("/")[2] == "manage.py"), key=len)
    named = [
        path
        for path in sources.paths
        if re.search(r"(^|/)([^/]*requirements[^/]*\.(txt|in)|pyproject\.toml|setup\.cfg|Pipfile)$", path)
    ]
    if not manage or parent(manage[0]).count("/") > 1:
        return ""
    uses = any(re.search(r"behave[-_]django", sources.glance(path)) for path in named)
    return f"python {manage[0]} behave" if uses else ""


def _images(services: dict[str, Any]) -> list[str]:
    return [str(each.get("image", "")) if isinstance(each, dict) else str(each) for each in services.values()]


def _yaml(text: str) -> Any:
    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError, ValueError):
        return None
