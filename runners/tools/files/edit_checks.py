"""Run the repository's formatter or linter on a file that a model has just changed, and keep new findings."""

import re
import shlex
import tempfile
import tomllib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from runners.git.workspaces import SHADOW
from runners.policy.globs import matches
from runners.sandbox.bubblewrap import WORKSPACE, Sandbox
from runners.sandbox.limits import CommandLimits

_MAX_FILES = 5
_MAX_SAID = 1500
_SECONDS = 20.0
_NOT_THERE = 127
RUFF = "ruff check --quiet --no-cache --output-format concise {path}"


class EditChecks:
    """Runs, for each changed file, the commands whose glob it matches, and keeps what is new.

    `rules` maps globs to commands with ``{path}``. `before` returns the content of a file before the work
    began (None: there was no file). Findings that a command also has for that content are not repeated, even
    if their numbers differ.
    """

    def __init__(
        self,
        sandbox: Sandbox,
        rules: Mapping[str, str],
        before: Callable[[str], bytes | None] = lambda _path: None,
    ) -> None:
        self._sandbox = sandbox
        self._rules = dict(rules)
        self._before = before
        self._known: dict[tuple[str, str], Counter[str]] = {}
        self._limits: CommandLimits = sandbox.limits.model_copy(update={"wall_s": _SECONDS})

    def __call__(self, paths: Sequence[str]) -> str:
        """Return what the commands found, as a part of the answer to the model.

        Empty when there is nothing to say.
        """
        found = []
        for path in [path for path in paths if not path.startswith(f"{SHADOW}/")][:_MAX_FILES]:
            for glob, command in self._rules.items():
                if matches(path, glob) and (said := self._said(command, path)):
                    found.append(said)
        return "\n".join(found)

    def _said(self, command: str, path: str) -> str:
        lines = self._lines(self._sandbox, command, path)
        if not lines:
            return ""
        known = self._said_before(command, path).copy()
        new = []
        for line in lines:
            known[_without_numbers(line)] -= 1
            if known[_without_numbers(line)] < 0:
                new.append(line)
        said = "\n".join(new).strip()[:_MAX_SAID]
        return f"`{command.replace('{path}', path)}` says:\n{said}" if said else ""

    def _said_before(self, command: str, path: str) -> Counter[str]:
        """Return what the command says of the file as it was, at its place: checks depend on where a file
        lies.
        """
        if (command, path) not in self._known:
            content = None if self._sandbox.unsafe else self._before(path)
            lines: list[str] = []
            if content is not None:
                with tempfile.TemporaryDirectory(prefix="scenarist-edited-") as folder:
                    old = Path(folder) / "old"
                    old.write_bytes(content)
                    lines = self._lines(self._sandbox.showing({f"{WORKSPACE}/{path}": old}), command, path)
            self._known[command, path] = Counter(map(_without_numbers, lines))
        return self._known[command, path]

    def _lines(self, sandbox: Sandbox, command: str, path: str) -> list[str]:
        # A file that is gone, and a tool that is not installed, have nothing to say.
        place = shlex.quote(path)
        line = f"[ -f {place} ] || exit 0; {command.replace('{path}', place)}"
        result = sandbox.run(["bash", "-c", line], limits=self._limits)
        if result.exit_code in (0, _NOT_THERE):
            return []
        return (result.output.strip() or "it printed nothing").splitlines()


def _without_numbers(line: str) -> str:
    """Return a line of a check without its numbers: an edit moves what stands below it."""
    return re.sub(r"\d+", "0", line)


def detected(pyproject: str, *, own_file: bool = False) -> dict[str, str]:
    """Return the check of a repository that configures one and names none: ruff, with the repository's own
    settings.

    They stand in `pyproject` (the text of pyproject.toml), or in a file of ruff's own where `own_file` is
    set.
    """
    try:
        tools = tomllib.loads(pyproject).get("tool", {})
    except tomllib.TOMLDecodeError:
        tools = {}
    configured = own_file or (isinstance(tools, dict) and "ruff" in tools)
    return {"**/*.py": RUFF} if configured else {}
