"""`scenarist verify` on a repository of one's own."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bot.cli.repository.verify import verify_repository
from runners.git.command import git
from runners.sandbox.limits import CommandLimits
from runners.verify.claim import Claim
from runners.verify.gate.gate import Gate
from runners.verify.verdict import Verdict
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
    assert "1 of 1 scenario proven" in done.stdout
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
    ("args", "says"),
    [
        (("--base", "nowhere", "--feature", FEATURE), "SCN-7008"),
        (("--base", "base", "--feature", "features/none.feature"), "SCN-7008"),
        (("--base", "--output=x", "--feature", FEATURE), "SCN-7008"),
    ],
)
def test_what_cannot_be_found_is_named(repo: Path, args: tuple[str, ...], says: str) -> None:
    done = verify(repo, *args)
    assert done.returncode == 2
    assert says in done.stderr.splitlines()[0]
    assert "Traceback" not in done.stderr


def test_the_repositorys_settings_are_part_of_the_claim(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    claims: list[Claim] = []

    class Asked(Exception):
        """The verdict is not taken: what is asked for is enough here."""

    class Recorder(Gate):
        def verify(self, claim: Claim) -> Verdict:
            claims.append(claim)
            raise Asked

    monkeypatch.setattr("bot.cli.repository.verify.Gate", Recorder)
    git("checkout", "--quiet", "-b", "strict", "base", git_dir=repo / ".git", work_tree=repo)
    settings = "mutation: {floor: 100, mutants: 7}\nchanged_tests: fail\nprotected: [calc.lock]\n"
    (repo / ".scenarist.yml").write_text(settings)
    git("commit", "--quiet", "--all", "--message", "strict", git_dir=repo / ".git", work_tree=repo)
    for base in ("base", "strict"):
        with pytest.raises(Asked):
            verify_repository(repo, base, "good", FEATURE, limits=CommandLimits(), unsafe=False)
    plain, strict = claims
    assert (plain.mutation.mutants, plain.changed_tests) == (0, "report")
    assert (strict.mutation.floor, strict.mutation.mutants) == (100, 7)
    assert strict.changed_tests == "fail" and "calc.lock" in strict.protected
