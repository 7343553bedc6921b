"""`scenarist demo` as a user runs it."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "bot", "demo"]


def children_of(folder: Path) -> list[str]:
    """Command lines of processes that work for a demo below `folder`."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            environ = (entry / "environ").read_bytes()
            command = (entry / "cmdline").read_bytes()
        except OSError:
            continue
        if str(folder).encode() in environ + command and entry.name != str(os.getpid()):
            found.append(command.replace(b"\0", b" ").decode(errors="replace"))
    return found


def test_it_ends_with_a_pull_request_that_holds(tmp_path: Path) -> None:
    done = subprocess.run(
        [*COMMAND, "--json", "--keep", str(tmp_path / "kept")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    result = json.loads(done.stdout)
    assert result["ok"] and result["status"] == "done" and result["check"] == "success"
    assert {(each["before"] in ("failed", "error"), each["after"]) for each in result["scenarios"]} == {
        (True, "passed")
    }
    assert all(line.startswith("✔") for line in result["independent"]["lines"])
    assert (tmp_path / "kept" / "scenarist.db").exists()
    assert children_of(tmp_path) == []


def test_a_claim_that_does_not_hold_is_found(tmp_path: Path) -> None:
    """The independent look does not believe the run: here the branch was changed behind its back."""
    from bot.demo.check import check_branch
    from runners.git.command import git
    from tests.support.harness import CALC, DOUBLE_FEATURE, DOUBLE_STEPS

    bare, tree = tmp_path / "x.git", tmp_path / "tree"
    git("init", "--quiet", "--bare", "--initial-branch=main", str(bare), git_dir=bare)

    def commit(files: dict[str, str], branch: str) -> None:
        for name, text in files.items():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            (tree / name).write_text(text)
        git("symbolic-ref", "HEAD", f"refs/heads/{branch}", git_dir=bare)
        git("add", "--all", git_dir=bare, work_tree=tree)
        git("commit", "--quiet", "--message", "x", git_dir=bare, work_tree=tree)

    code = CALC["calc.py"] + "\n\ndef double(n):\n    return 2 * n\n"
    done = {"features/double.feature": DOUBLE_FEATURE, "features/steps/double.py": DOUBLE_STEPS}
    commit(dict(CALC), "main")
    git("branch", "good", "main", git_dir=bare)
    commit({**done, "calc.py": code}, "good")
    git("symbolic-ref", "HEAD", "refs/heads/main", git_dir=bare)
    assert check_branch(bare, "good", "features/double.feature").ok
    git("branch", "bad", "good", git_dir=bare)
    commit({"calc.py": code.replace("2 * n", "3 * n")}, "bad")
    git("symbolic-ref", "HEAD", "refs/heads/main", git_dir=bare)
    assert not check_branch(bare, "bad", "features/double.feature").ok


@pytest.mark.parametrize("after", [0.5, 4.0])
def test_ctrl_c_leaves_nothing_behind(tmp_path: Path, after: float) -> None:
    env = {**os.environ, "TMPDIR": str(tmp_path)}
    process = subprocess.Popen(
        COMMAND,
        cwd=ROOT,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Whoever runs the tests in the background has it ignored, and a child would inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    time.sleep(after)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode != 0
    assert "Traceback" not in errors
    assert children_of(tmp_path) == []
    assert not list(tmp_path.glob("scenarist-demo-*"))


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(["--runtime", "gpt"], "SCN-7001"), (["--runtime", "anthropic"], "SCN-4005")],
)
def test_a_wrong_option_is_one_clear_line(arguments: list[str], code: str) -> None:
    env = {key: value for key, value in os.environ.items() if "ANTHROPIC" not in key}
    done = subprocess.run(
        [*COMMAND, *arguments], cwd=ROOT, env=env, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode != 0
    assert code in done.stderr and "Traceback" not in done.stderr + done.stdout
