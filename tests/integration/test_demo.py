"""`scenarist demo` as a user runs it."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.support.processes import processes_of
from tests.support.waiting import wait_until

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "bot", "demo"]


def test_it_ends_with_a_pull_request_that_holds(tmp_path: Path) -> None:
    done = subprocess.run(
        [*COMMAND, "--json", "--keep", str(tmp_path / "kept")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    result = json.loads(done.stdout)
    assert result["ok"] and result["status"] == "done" and result["check"] == "success"
    assert {(each["before"] in ("failed", "error"), each["after"]) for each in result["scenarios"]} == {
        (True, "passed")
    }
    assert all(line.startswith("✔") for line in result["independent"]["lines"])
    assert (tmp_path / "kept" / "scenarist.db").exists()
    assert processes_of(tmp_path) == {}


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


def is_loading(process: "subprocess.Popen[str]", _folder: Path) -> bool:
    """Whether the command is still importing what it needs."""
    return "pydantic_core" in Path(f"/proc/{process.pid}/maps").read_text()


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """A short path: that of a unix socket may have no more than 107 characters."""
    with TemporaryDirectory(prefix="scn-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def is_working(_process: "subprocess.Popen[str]", folder: Path) -> bool:
    """Whether the last of its processes has been started."""
    return any("--queues runs" in command for command in processes_of(folder).values())


@pytest.mark.parametrize(
    ("moment", "number"),
    [(is_loading, signal.SIGINT), (is_working, signal.SIGINT), (is_working, signal.SIGTERM)],
)
def test_when_it_is_told_to_end_it_leaves_nothing_behind(
    tmp_path: Path, moment: Callable[["subprocess.Popen[str]", Path], bool], number: signal.Signals
) -> None:
    with begun(tmp_path) as process:
        wait_until(lambda: moment(process, tmp_path), moment.__name__)
        process.send_signal(number)
        _, errors = process.communicate()
    assert process.returncode != 0
    assert "Traceback" not in errors
    assert processes_of(tmp_path) == {}
    assert not list(tmp_path.glob("scenarist-demo-*"))


def test_when_it_is_killed_its_processes_end_too(tmp_path: Path) -> None:
    with begun(tmp_path) as process:
        wait_until(lambda: is_working(process, tmp_path), "the start of its processes")
        process.kill()
        process.communicate()
        wait_until(lambda: not processes_of(tmp_path), "the end of all its processes")


@contextmanager
def begun(folder: Path) -> Iterator["subprocess.Popen[str]"]:
    """A demo that keeps its temporary files below `folder`; it ends with the context at the latest."""
    with subprocess.Popen(
        COMMAND,
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Whoever runs the tests in the background has it ignored, and a child would inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(["--runtime", "gpt"], "SCN-7001"), (["--runtime", "anthropic"], "SCN-4005")],
)
def test_a_wrong_option_is_one_clear_line(arguments: list[str], code: str) -> None:
    env = {key: value for key, value in os.environ.items() if "ANTHROPIC" not in key}
    done = subprocess.run(
        [*COMMAND, *arguments], cwd=ROOT, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert code in done.stderr and "Traceback" not in done.stderr + done.stdout
