"""What counts as a new test of a change, and what follows from faults that nobody noticed."""

import pytest

from runners.verify.claim import Claim, MutationSettings
from runners.verify.findings import Bite
from runners.verify.gate.judging import floor, new_tests
from runners.verify.suites.run import SuiteRun
from runners.verify.verdict import Failure, Outcome

OLD = [f"tests/test_shop.py::test_{number}" for number in range(915)]
NEW = [f"tests/test_shop.py::test_new_{number}" for number in range(5)]
ELSEWHERE = ["tests/test_other.py::test_it"]
FILE = "tests/test_shop.py"


def run(passed: list[str], failed: list[str] | None = None, message: str = "assert 1 == 2") -> SuiteRun:
    outcomes: dict[str, Outcome] = {
        **dict.fromkeys(passed, "passed"),
        **dict.fromkeys(failed or [], "failed"),
    }
    failures = tuple(Failure(test=test, message=message, path=FILE) for test in failed or [])
    return SuiteRun(command="pytest", outcomes=outcomes, failures=failures)


def test_a_file_that_the_base_cannot_import_is_one_row_with_its_new_tests_alone() -> None:
    before = run(OLD + ELSEWHERE)
    then = run(ELSEWHERE, [FILE], "ImportError: cannot import name 'checkout'")
    found = new_tests(before, then, run(OLD + NEW + ELSEWHERE), [FILE])
    assert [(each.path, each.name, each.tests, each.base, each.head) for each in found] == [
        (FILE, "", 5, "error", "passed")
    ]
    assert "ImportError" in found[0].base_message


def test_new_tests_that_fail_without_the_change_are_a_row_each() -> None:
    found = new_tests(run(OLD), run(OLD, NEW), run(OLD + NEW), [FILE])
    assert [f"{each.path}::{each.name}" for each in found] == NEW
    assert not any(each.existed for each in found) and {each.tests for each in found} == {1}


def test_an_edited_test_counts_as_edited_and_one_of_another_file_not_at_all() -> None:
    edited = OLD[3]
    then = run([test for test in OLD if test != edited], [edited, *ELSEWHERE])
    found = new_tests(run(OLD + ELSEWHERE), then, run(OLD + ELSEWHERE), [FILE])
    assert [(each.name, each.existed) for each in found] == [("test_3", True)]


def test_tests_that_pass_without_the_change_show_nothing() -> None:
    assert new_tests(run(OLD), run(OLD + NEW), run(OLD + NEW), [FILE]) == []


def test_tests_of_tools_that_do_not_name_files_count_when_the_base_lacks_them() -> None:
    before, after = run(["shop/cart::adds"]), run(["shop/cart::adds", "shop/cart::pays"])
    then = SuiteRun(command="go", broken="the package does not build")
    assert [(each.path, each.tests) for each in new_tests(before, then, after, [FILE])] == [("shop/cart", 1)]


def claim(wanted: int) -> Claim:
    return Claim("base", "head", "", "", mutation=MutationSettings(floor=wanted))


@pytest.mark.parametrize(
    ("bite", "doubts"),
    [
        (Bite(tried=5, killed=2), []),
        (Bite(tried=5, killed=1), ["tests-do-not-bite"]),
        (Bite(tried=2, killed=0), []),
        # An untested branch beside tested code.
        (Bite(tried=5, killed=1, unreached=2), []),
        # Most of the change is not tested.
        (Bite(tried=5, killed=1, unreached=3), ["untested-code"]),
        (Bite(tried=3, killed=0, unreached=3), ["untested-code"]),
        (Bite(tried=3, killed=0, unreached=2), ["untested-code"]),
        # What runs is not looked at, whatever else there is.
        (Bite(tried=8, killed=0, unreached=5), ["tests-do-not-bite"]),
    ],
)
def test_only_faults_in_lines_that_run_count_against_the_tests(bite: Bite, doubts: list[str]) -> None:
    assert [each.code for each in floor(claim(30), bite)] == doubts


def test_a_demand_for_all_faults_counts_from_the_first() -> None:
    assert floor(claim(100), Bite(tried=1, killed=0))
    assert floor(claim(100), Bite(tried=1, killed=1)) == []
