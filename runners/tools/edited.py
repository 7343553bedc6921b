"""What the repository's own formatter or linter says of a file that a model has just changed."""

import shlex
import tomllib
from collections.abc import Mapping, Sequence

from runners.policy.globs import matches
from runners.sandbox.bubblewrap import Limits, Sandbox

_MAX_FILES = 5
_MAX_SAID = 1500
_SECONDS = 20.0
_NOT_THERE = 127
RUFF = "ruff check --quiet --no-cache --output-format concise {path}"


class EditChecks:
    """Runs, for each changed file, the commands whose glob it matches; `rules` maps globs to commands with ``{path}``."""

    def __init__(self, sandbox: Sandbox, rules: Mapping[str, str]) -> None:
        self._sandbox = sandbox
        self._rules = dict(rules)
        self._limits: Limits = sandbox.limits.model_copy(update={"wall_s": _SECONDS})

    def __call__(self, paths: Sequence[str]) -> str:
        """What the commands found, as a part of the answer to the model; empty when there is nothing to say."""
        found = []
        for path in paths[:_MAX_FILES]:
            for glob, command in self._rules.items():
                if matches(path, glob) and (said := self._said(command, path)):
                    found.append(said)
        return "\n".join(found)

    def _said(self, command: str, path: str) -> str:
        # A file that is gone, and a tool that is not installed, have nothing to say.
        place = shlex.quote(path)
        line = f"[ -f {place} ] || exit 0; {command.replace('{path}', place)}"
        result = self._sandbox.run(["bash", "-c", line], limits=self._limits)
        if result.exit_code in (0, _NOT_THERE):
            return ""
        output = result.output.strip()[:_MAX_SAID] or "it printed nothing"
        return f"`{command.replace('{path}', path)}` says:\n{output}"


def detected(pyproject: str) -> dict[str, str]:
    """The check of a repository that configures one and names none: ruff, where pyproject.toml has settings for it."""
    try:
        tools = tomllib.loads(pyproject).get("tool", {})
    except tomllib.TOMLDecodeError:
        return {}
    return {"**/*.py": RUFF} if isinstance(tools, dict) and "ruff" in tools else {}
