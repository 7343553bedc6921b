"""Files with secrets that a set-up leaves for the operator; only their account can read them."""

import os
import shlex
from collections.abc import Mapping
from pathlib import Path

from runners.sandbox.scratch import make_state_folder


def write_private(file: Path, text: str) -> None:
    """Write a new file that only this account can read. Raises `FileExistsError`."""
    make_state_folder(file.parent)
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as made:
        made.write(text)


def settings_text(values: Mapping[str, object]) -> str:
    """Return ``NAME=value`` lines, which a shell, systemd's `EnvironmentFile=` and compose can read."""
    return "".join(f"{name}={shlex.quote(str(value))}\n" for name, value in values.items())


def how_to_load(file: Path) -> str:
    """Return the shell command that exports the settings in `file`."""
    return f"set -a; . {shlex.quote(str(file))}; set +a"


def next_steps(*before: str, settings_file: Path | None = None) -> str:
    """Return the numbered steps that follow a set-up: `before`, then loading, checking and starting."""
    load = [how_to_load(settings_file)] if settings_file else []
    steps = [*before, *load, "scenarist doctor", "scenarist up"]
    return "\n".join(["Next:", *(f"  {number}. {step}" for number, step in enumerate(steps, 1))])
