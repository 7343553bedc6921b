"""Small faults: how they are spread over checkouts, and what is said of those that were not tried."""

import threading
from pathlib import Path
from typing import Any

import pytest

from runners.verify.claim import MutationSettings
from runners.verify.instrumentation.mutants import MARKS, mutants, reached_among, try_mutants
from tests.support.waiting import HANG_S

SOURCE = "def double(n):\n    return 2 * n\n\n\ndef limit(n):\n    return n > 10\n"
CANDIDATES = mutants("calc.py", SOURCE, {2, 6})


@pytest.fixture
def roots(tmp_path: Path) -> list[Path]:
    found = [tmp_path / "one", tmp_path / "two"]
    for root in found:
        root.mkdir()
        (root / "calc.py").write_text(SOURCE)
    return found


def test_faults_are_tried_side_by_side_and_taken_out_again(roots: list[Path]) -> None:
    both = threading.Barrier(2)
    used = set()

    def notices(root: Path, _: float) -> bool:
        both.wait(HANG_S)
        used.add(root.name)
        assert (root / "calc.py").read_text() != SOURCE
        return "limit" not in root.name

    bite = try_mutants(roots, CANDIDATES, MutationSettings(mutants=4), "seed", notices, list)
    assert bite is not None
    assert (bite.tried, bite.killed, bite.untried, bite.survivors) == (4, 4, 0, ())
    assert used == {"one", "two"}
    assert {(root / "calc.py").read_text() for root in roots} == {SOURCE}


def test_what_there_was_no_time_for_is_counted_and_no_survivor(roots: list[Path]) -> None:
    answers = [False, None, True]
    bite = try_mutants(
        roots[:1], CANDIDATES, MutationSettings(mutants=3), "seed", lambda root, left: answers.pop(0), list
    )
    assert bite is not None
    assert (bite.tried, bite.killed, bite.untried, len(bite.survivors)) == (2, 1, 1, 1)


def test_the_same_faults_are_chosen_each_time(roots: list[Path]) -> None:
    told = []
    for _ in range(2):
        bite = try_mutants(
            roots[:1], CANDIDATES, MutationSettings(mutants=2), "seed", lambda root, left: False, list
        )
        told.append(bite.survivors if bite else ())
    assert told[0] == told[1] and len(told[0]) == 2


def test_without_a_candidate_nothing_is_said(roots: list[Path]) -> None:
    assert try_mutants(roots, [], MutationSettings(), "seed", lambda root, left: True, list) is None


BRANCHES = """\
def fee(total, member=not True):
    if total < 0:
        raise ValueError(total)
    elif total > 100:
        return 0
    for each in [total]:
        total = each + 5
    return total
"""


def test_the_survivors_in_lines_that_run_are_found_and_the_file_is_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "fee.py").write_text(BRANCHES)
    every = mutants("fee.py", BRANCHES, set(range(1, 10)))

    def run() -> None:
        held: dict[str, Any] = {}
        exec((tmp_path / "fee.py").read_text(), held)  # noqa: S102 - it is the test's own source
        assert held["fee"](20) == 25

    ran = reached_among(tmp_path, every, str(tmp_path / MARKS), run)
    assert {each.line for each in every} == {1, 2, 3, 4, 5, 7, 8}
    assert {each.line for each in ran} == {1, 2, 4, 7, 8}
    assert (tmp_path / "fee.py").read_text() == BRANCHES


def test_too_few_noticed_faults_are_named_with_whether_their_lines_run(roots: list[Path]) -> None:
    bite = try_mutants(
        roots[:1],
        CANDIDATES,
        MutationSettings(mutants=4, floor=90),
        "seed",
        lambda root, left: "10" in (root / "calc.py").read_text().partition("limit")[0],
        lambda missed: [each for each in missed if each.line == 2],
    )
    assert bite is not None
    assert (bite.killed, bite.unreached, bite.reached) == (0, 2, 2)
    told = {each.partition(": ")[0] for each in bite.survivors if "no scenario or test runs" in each}
    assert told == {"calc.py:6"}
