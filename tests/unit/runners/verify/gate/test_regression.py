"""Suites on base and head: side by side, for how long, and which part of one that does not end."""

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from runners.sandbox.limits import CommandLimits
from runners.verify.claim import Claim
from runners.verify.gate.regression import Regression
from runners.verify.look import Look
from runners.verify.suites.run import SuiteRun
from runners.verify.suites.suites import patience
from runners.verify.verdict import Failure
from tests.support.waiting import HANG_S
from tests.support.workbench import Workbench

Run = Callable[[Path], SuiteRun]


class Suites:
    """Suites that give what they are told; `ran` are the files that pytest was given."""

    def __init__(self, runs: dict[str, Run], files: Callable[[Path, Sequence[str]], SuiteRun]) -> None:
        self._runs = runs
        self._files = files
        self.ran: list[list[str]] = []

    def all(self) -> list[tuple[str, Run]]:
        return list(self._runs.items())

    def as_on_base(self, seconds: float) -> "Suites":
        return self

    def files(self, name: str, root: Path) -> list[str]:
        return sorted(each.name for each in root.glob("test_*.py"))

    def pytest(self, root: Path, paths: Sequence[str]) -> SuiteRun:
        self.ran.append([*paths])
        return self._files(root, paths)


class Checkouts:
    """Checkouts in folders of the test."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @contextlib.contextmanager
    def opened(self, _commit: str, name: str) -> Iterator[Path]:
        (self._folder / name).mkdir()
        yield self._folder / name


def regression(tmp_path: Path, suites: Suites) -> tuple[Regression, Path, Path]:
    bench = Workbench(tmp_path / "state")
    first = bench.commit({"prices.py": "OLD = 1\n"})
    second = bench.commit({"prices.py": "NEW = 1\n"})
    base, head = tmp_path / "base", tmp_path / "head"
    for root in (base, head):
        root.mkdir()
        (root / "test_prices.py").write_text("import prices\n")
        (root / "test_other.py").write_text("import other\n")
    made: Any = Regression(
        Claim(base=first, head=second, feature="", feature_sha256=""),
        Look(),
        bench.mirror.path,
        suites,
        Checkouts(tmp_path),
        lambda _commit, run, _purpose: run,
        lambda _name, _commit, run: run(),
    )
    return made, base, head


def passed(*tests: str) -> SuiteRun:
    return SuiteRun(command="x", outcomes=dict.fromkeys(tests, "passed"))


def test_suites_run_side_by_side_on_free_cores_each_in_its_own_checkouts(tmp_path: Path) -> None:
    both = threading.Barrier(2, timeout=HANG_S)
    roots: dict[str, set[Path]] = {"a": set(), "b": set()}

    def meets(name: str) -> Run:
        def run(root: Path) -> SuiteRun:
            roots[name].add(root)
            both.wait()
            return passed(f"{name}::test")

        return run

    suites = Suites({"a": meets("a"), "b": meets("b")}, lambda *_: passed())
    made, base, head = regression(tmp_path, suites)
    made.cores = 3
    found = made.compare(base, head)
    assert [suite.name for suite in found.suites] == ["a", "b"] and not found.problems
    assert roots["a"] == {base, head} and len(roots["b"]) == 2 and not roots["a"] & roots["b"]


@pytest.mark.parametrize("cores", [1, 2])
def test_on_few_cores_one_runs_after_the_other(tmp_path: Path, cores: int) -> None:
    alone = threading.Lock()

    def run(root: Path) -> SuiteRun:
        assert alone.acquire(blocking=False), "one core is for the experiments"
        alone.release()
        return passed("x::test")

    made, base, head = regression(tmp_path, Suites({"a": run, "b": run}, lambda *_: passed()))
    made.cores = cores
    assert len(made.compare(base, head).suites) == 2


def hangs(_root: Path) -> SuiteRun:
    return SuiteRun(command="pytest", broken="pytest did not end within 9 s", fault="timed-out", seconds=9)


def fails_on_head(root: Path, _paths: Sequence[str]) -> SuiteRun:
    if root.name == "base":
        return passed("test_prices.py::test")
    failure = Failure(test="test_prices.py::test", message="", path="test_prices.py", line=1)
    return SuiteRun(command="x", outcomes={failure.test: "failed"}, failures=(failure,))


@pytest.mark.parametrize(
    ("part", "codes"),
    [(lambda *_: passed("test_prices.py::test"), []), (fails_on_head, ["regression"])],
    ids=["right", "wrong"],
)
def test_of_a_suite_that_does_not_end_the_tests_near_the_change_are_run(
    tmp_path: Path, part: Any, codes: list[str]
) -> None:
    suites = Suites({"pytest": hangs}, part)
    made, base, head = regression(tmp_path, suites)
    found = made.compare(base, head)
    assert {tuple(each) for each in suites.ran} == {("test_prices.py",)}
    assert [problem.code for problem in found.problems] == codes
    (doubt,) = found.doubts
    assert doubt.code == "suite-timed-out" and "Only the 1 test files near the change" in doubt.message


def test_a_suite_that_does_not_end_and_has_no_test_near_the_change_says_nothing(tmp_path: Path) -> None:
    suites = Suites({"pytest": hangs}, lambda *_: pytest.fail("nothing is run"))
    made, base, head = regression(tmp_path, suites)
    (base / "test_prices.py").unlink()
    (head / "test_prices.py").unlink()
    found = made.compare(base, head)
    assert [doubt.code for doubt in found.doubts] == ["suite-timed-out"] and not found.problems


@pytest.mark.parametrize(("base_s", "wanted"), [(0.5, 62.0), (100, 460.0), (1000, 1800.0), (1790, 2685.0)])
def test_how_long_a_suite_may_take_on_the_head(base_s: float, wanted: float) -> None:
    assert patience(base_s, 1800) == wanted


def test_a_suite_may_use_all_cores_as_long_as_it_runs() -> None:
    limits = CommandLimits(wall_s=600, cpu_s=300, suite_s=1800).of_suite()
    assert limits.wall_s == 1800 and limits.cpu_s >= 1800
    assert CommandLimits(wall_s=600).of_suite().wall_s == 600
