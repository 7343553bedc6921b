"""Which tests stand near a change: they are run first, because they are the likeliest to fail."""

import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from runners.verify.suites import SuiteRun

_MOST = 20
_MAX_FILE = 500_000
# A suite that ends within seconds is run as a whole at once.
_LONG_S = 20.0


def near(root: Path, changed: Sequence[str], before: SuiteRun) -> list[str]:
    """Files of pytest tests below `root` that name a changed module; none where that would save nothing.

    `changed` are the paths of the change, `before` is the whole suite on the base.
    """
    if before.broken or before.seconds < _LONG_S:
        return []
    files = sorted({test.partition("::")[0] for test in before.outcomes})
    names = {_module(path) for path in changed if path.endswith(".py")} - {""}
    if not names:
        return []
    wanted = re.compile(rf"\b({'|'.join(map(re.escape, sorted(names)))})\b")
    found = [
        path
        for path in files
        if path in changed or wanted.search(PurePosixPath(path).stem) or wanted.search(_text(root / path))
    ]
    return found if 0 < len(found) <= min(_MOST, len(files) // 2) else []


def _module(path: str) -> str:
    """The word by which tests would name a module."""
    parts = PurePosixPath(path).with_suffix("").parts
    word = parts[-2] if parts[-1] == "__init__" and len(parts) > 1 else parts[-1]
    return word if len(word) > 3 else ""


def _text(path: Path) -> str:
    if path.is_symlink() or not path.is_file() or path.stat().st_size > _MAX_FILE:
        return ""
    return path.read_text(errors="replace")


def part_of(before: SuiteRun, run: SuiteRun) -> SuiteRun:
    """What the base gave for the tests of a run of some files."""
    files = {test.partition("::")[0] for test in run.outcomes}
    kept = {test: outcome for test, outcome in before.outcomes.items() if test.partition("::")[0] in files}
    return SuiteRun(command=before.command, outcomes=kept, failures=before.failures, lines=before.lines)
