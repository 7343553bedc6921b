"""Tests that other tests of the same file take up."""

import pytest

from tests.support.workbench import BASE, WORK, Workbench, codes

OLD = (
    "from calc import add\n\n\ndef test_small():\n    assert add(1, 2) == 3\n\n\n"
    "def test_zero():\n    assert add(0, 0) == 0\n"
)
MERGED = (
    "import pytest\n\nfrom calc import add\n\n\n"
    "@pytest.mark.parametrize(('a', 'b', 'c'), [(1, 2, 3), (0, 0, 0)])\ndef test_sums(a, b, c):\n"
    "    assert add(a, b) == c\n"
)
WRONG = WORK["calc.py"].replace("return a + b", "return a + b or 1")


def test_two_tests_that_become_one_are_no_regression(bench: Workbench) -> None:
    verdict = bench.verdict({**WORK, "test_calc.py": MERGED}, base={**BASE, "test_calc.py": OLD})
    assert verdict.green, verdict.problems
    assert verdict.changed_tests is not None and verdict.changed_tests.paths == ("test_calc.py",)


@pytest.mark.parametrize(
    "work",
    [
        {**WORK, "calc.py": WRONG, "test_calc.py": MERGED.replace("(0, 0, 0)", "(0, 0, 1)")},
        {**WORK, "test_calc.py": MERGED.replace(", (0, 0, 0)", "")},
    ],
    ids=["the old tests fail", "fewer assertions"],
)
def test_tests_that_are_gone_and_not_taken_up_are_regressions(bench: Workbench, work: dict[str, str]) -> None:
    verdict = bench.verdict(work, base={**BASE, "test_calc.py": OLD})
    assert "regression" in codes(verdict), verdict.problems
