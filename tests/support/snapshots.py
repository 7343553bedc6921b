"""Small repositories to read."""

import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

from runners.repository.snapshot import Snapshot

Make = Callable[[Mapping[str, str]], Snapshot]


def committing(folder: Path) -> Make:
    """Return what makes a repository of the files given (path -> text) in `folder`."""

    def make(files: Mapping[str, str]) -> Snapshot:
        def git(*words: str) -> str:
            given = ["-c", "user.name=x", "-c", "user.email=x@example.org"]
            done = subprocess.run(
                ["git", *given, *words], cwd=folder, capture_output=True, text=True, check=True
            )
            return done.stdout.strip()

        git("init", "-q")
        for path, text in files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text)
        git("add", "-Af")
        git("commit", "-qm", "x")
        return Snapshot(folder / ".git", git("rev-parse", "HEAD"))

    return make
