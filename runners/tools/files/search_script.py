"""Search the files of the current folder.

It runs inside the sandbox, alone: with the source of `runners.policy.globs` put before it, and the request as
JSON in its first argument.

ripgrep does it where it is there and understands the pattern, else Python's `re`. At most one line more than
the limit is printed, which says that there is more.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from runners.policy.globs import matches

MAX_COLUMNS = 300
MAX_BYTES = 5_000_000


def main() -> None:
    request = json.loads(sys.argv[1])
    if not os.path.lexists(request["path"]):
        sys.exit(f"there is no `{request['path']}`")
    try:
        found = with_ripgrep(request)
        lines = iter(found) if found is not None else with_python(request)
        for count, line in enumerate(lines):
            print(line.removeprefix("./"))
            if count == request["limit"]:
                break
    except re.error as error:
        sys.exit(f"the pattern is not a valid regular expression ({error})")


def with_ripgrep(request: dict[str, Any]) -> list[str] | None:
    """Return the lines found; None where there is no ripgrep or it refuses the pattern (look-around, for
    one).
    """
    program = shutil.which("rg")
    if program is None:
        return None
    options = [
        "--no-config",
        "--line-number",
        "--with-filename",
        "--no-heading",
        "--color=never",
        "--sort=path",
    ]
    options += [
        "--hidden",
        "--no-ignore",
        f"--max-filesize={MAX_BYTES}",
        f"--max-count={request['limit'] + 1}",
    ]
    options += [f"--max-columns={MAX_COLUMNS}", "--max-columns-preview", "--crlf"]
    options += ["--ignore-case"] if request["ignore_case"] else []
    options += [f"--glob={request['glob']}"] if request["glob"] else []
    options += [f"--glob=!{name}" for name in request["skipped"]]
    command = [program, *options, f"--regexp={request['pattern']}", "--", request["path"]]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    return done.stdout.splitlines() if done.returncode in (0, 1) else None


def with_python(request: dict[str, Any]) -> Iterator[str]:
    pattern = re.compile(request["pattern"], re.IGNORECASE if request["ignore_case"] else 0)
    for path in files(request["path"], set(request["skipped"])):
        if request["glob"] and not matches(path, request["glob"]):
            continue
        try:
            with Path(path).open("rb") as file:
                data = file.read(MAX_BYTES + 1)
        except OSError:
            continue
        if len(data) > MAX_BYTES or b"\0" in data[:8192]:
            continue
        for number, line in enumerate(data.decode(errors="replace").split("\n"), 1):
            if pattern.search(line.removesuffix("\r")):
                yield f"{path}:{number}:{line[:MAX_COLUMNS]}"


def files(path: str, skipped: set[str]) -> Iterator[str]:
    if Path(path).is_file():
        yield path
    for folder, folders, names in os.walk(path):
        folders[:] = sorted(set(folders) - skipped)
        for name in sorted(names):
            if not os.path.islink(os.path.join(folder, name)):  # noqa: PTH114, PTH118 - paths stay as written
                yield os.path.normpath(os.path.join(folder, name))  # noqa: PTH118


if __name__ == "__main__":
    main()
