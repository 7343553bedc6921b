"""One candidate's code under another one's steps and tests."""

from pathlib import Path

import pytest

from runners.verify.gate.crossing import CandidateCommits, Crossing, changed_lines
from tests.support.workbench import BASE, FEATURE, SPEC, STEPS, Workbench, sandboxed_suites


class Candidates:
    """Makes candidates from the same scenarios and crosses them."""

    def __init__(self, bench: Workbench) -> None:
        self._bench = bench

    def crossed(self, own: dict[str, str], other: dict[str, str]) -> tuple[tuple[str, ...], int, str]:
        """Return the failed names, the number of passed ones, and the problem."""
        base = self._bench.commit(BASE)
        spec = self._bench.commit(SPEC)
        heads = []
        for work in (own, other):
            heads.append(self._bench.commit(work))
            self._bench.commit({path: BASE.get(path) for path in work})
        assert spec
        crossing = Crossing(
            self._bench.workspaces, self._bench.mirror, sandboxed_suites(), "run", base=base, feature=FEATURE
        )
        found = crossing.run(CandidateCommits(1, heads[0], heads[0]), CandidateCommits(2, heads[1], heads[1]))
        return found.failed, found.passed, found.problem


@pytest.fixture
def candidates(tmp_path: Path) -> Candidates:
    return Candidates(Workbench(tmp_path))


def _work(body: str, tests: str = "", name: str = "steps/double_steps.py") -> dict[str, str]:
    work = {"calc.py": f"{BASE['calc.py']}\n\ndef double(n):\n    {body}\n", f"features/{name}": STEPS}
    return {**work, "test_double.py": tests} if tests else work


_TESTS = "import calc\n\n\ndef test_five():\n    assert calc.double(5) == 10\n"


def test_a_test_of_another_candidate_fails_on_code_that_knows_the_example(candidates: Candidates) -> None:
    own = _work("return 8", "def test_mine():\n    assert False\n", "steps/my_steps.py")
    failed, passed, problem = candidates.crossed(own, _work("return 2 * n", _TESTS))
    # The scenario passes, with the other's steps alone: two definitions of one step would be an error.
    assert (failed, passed, problem) == (("test_double.py::test_five",), 1, "")


def test_a_test_of_names_that_only_the_other_has_is_not_counted(candidates: Candidates) -> None:
    tests = "import calc\n\n\ndef test_helper():\n    assert calc.helper(5) == 10\n"
    failed, passed, problem = candidates.crossed(_work("return 2 * n"), _work("return 2 * n", tests))
    assert (failed, passed, problem) == ((), 1, "")


def test_lines_that_are_added_and_removed_are_counted(tmp_path: Path) -> None:
    bench = Workbench(tmp_path)
    base = bench.commit(BASE)
    head = bench.commit({"calc.py": "def add(a, b):\n    return b + a\n", "new.py": "x = 1\ny = 2\n"})
    assert changed_lines(bench.mirror, base, head) == 4
