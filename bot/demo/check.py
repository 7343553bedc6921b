"""Looks at the branch of a pull request without believing anything the bot said of it."""

import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from runners.git.command import git
from runners.sandbox.availability import available
from runners.sandbox.bubblewrap import Sandbox
from runners.tools.files.paths import write_bytes


@dataclass
class CloneCheck:
    """What a fresh clone showed; `lines` are for people."""

    ok: bool = True
    lines: list[str] = field(default_factory=list)

    def note(self, what: str, good: bool) -> None:
        self.ok = self.ok and good
        self.lines.append(f"{'✔' if good else '✘'} {what}")


def check_branch(repository: Path, branch: str, feature: str) -> CloneCheck:
    """Clone `branch`, run behave and pytest there, and the feature without the change, where it must fail."""
    checked = CloneCheck()
    with tempfile.TemporaryDirectory(prefix="scenarist-check-") as tmp:
        clone = Path(tmp) / "clone"
        git("clone", "--quiet", "--branch", branch, str(repository), str(clone), git_dir=clone / ".git")
        for module in ("behave", "pytest"):
            status, last = _run(clone, module)
            checked.note(f"python -m {module}: {last}", status == 0)
        changed = git("diff", "--name-only", "origin/main", "HEAD", git_dir=clone / ".git").splitlines()
        code = [path for path in changed if not path.startswith("features/")]
        checked.note(f"{len(code)} files outside of features/ were changed", bool(code))
        for path in code:
            before = git("ls-tree", "--name-only", "origin/main", "--", path, git_dir=clone / ".git")
            if before:
                text = git("show", f"origin/main:{path}", git_dir=clone / ".git", strip=False)
                write_bytes(clone, path, text.encode(errors="surrogateescape"), lambda _path: None)
            else:
                (clone / path).unlink()
        status, last = _run(clone, "behave", feature)
        checked.note(f"without these changes {feature} fails: {last}", status == 1)
    return checked


def _run(clone: Path, module: str, *paths: str) -> tuple[int | None, str]:
    command = ["python", "-m", module, *paths]
    if available() is None:
        result = Sandbox(clone).run(command)
        return result.exit_code, _summary(result.output)
    done = subprocess.run(
        [sys.executable, *command[1:]], cwd=clone, capture_output=True, text=True, timeout=120, check=False
    )
    return done.returncode, _summary(done.stdout)


def _summary(output: str) -> str:
    for line in output.splitlines():
        if "scenario" in line and "passed" in line:
            return line.strip()
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return lines[-1].strip("= ") if lines else "no output"
