"""`scenarist verify` on a repository of one's own."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from runners.git.command import git
from tests.support.harness import CALC, DOUBLE_FEATURE, DOUBLE_STEPS
from tests.support.waiting import HANG_S

FEATURE = "features/double.feature"


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    """A plain checkout with a base, a good and a bad change."""
    tree = tmp_path / "repo"
    tree.mkdir()
    git("init", "--quiet", "--initial-branch=main", str(tree), git_dir=tree / ".git")

    def commit(files: dict[str, str], name: str) -> None:
        for path, text in files.items():
            (tree / path).parent.mkdir(parents=True, exist_ok=True)
            (tree / path).write_text(text)
        git("add", "--all", git_dir=tree / ".git", work_tree=tree)
        git("commit", "--quiet", "--message", name, git_dir=tree / ".git", work_tree=tree)
        git("tag", name, git_dir=tree / ".git")

    commit(dict(CALC), "base")
    good = CALC["calc.py"] + "\n\ndef double(n):\n    return 2 * n\n"
    commit({FEATURE: DOUBLE_FEATURE, "features/steps/double.py": DOUBLE_STEPS, "calc.py": good}, "good")
    commit({"calc.py": good.replace("2 * n", "3 * n")}, "bad")
    return tree


def verify(repo: Path, *args: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "bot", "verify", "--repo", str(repo), *args],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
        timeout=HANG_S,
    )


def test_a_proven_change(repo: Path) -> None:
    done = verify(repo, "--base", "base", "--head", "good", "--feature", FEATURE)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 of 1 scenarios proven" in done.stdout
    status = git("status", "--porcelain", git_dir=repo / ".git", work_tree=repo)
    assert status == "", "nothing in the repository is touched"
    assert git("for-each-ref", "refs/scenarist", git_dir=repo / ".git") == ""


def test_a_change_that_does_not_do_it(repo: Path) -> None:
    done = verify(repo, "--base", "base", "--head", "bad", "--feature", FEATURE, "--json")
    assert done.returncode == 1, done.stderr
    verdict = json.loads(done.stdout)
    assert not verdict["green"]
    assert "scenario-not-green" in {problem["code"] for problem in verdict["problems"]}


@pytest.mark.parametrize(
    "args",
    [
        ("--base", "nowhere", "--feature", FEATURE),
        ("--base", "base", "--feature", "features/none.feature"),
        ("--base", "--output=x", "--feature", FEATURE),
    ],
)
def test_what_cannot_be_found_is_named(repo: Path, args: tuple[str, ...]) -> None:
    done = verify(repo, *args)
    assert done.returncode == 2
    assert done.stderr.startswith("SCN-7008") or "Usage" in done.stderr
    assert "Traceback" not in done.stderr
