"""The simulation of candidates, on verdicts and cross-tests that are given."""

from bench.candidates import RIGHT, WRONG, Facts, mistaken, simulate
from runners.contract.team_events import CandidateEnded
from runners.verify.findings import Crossed

EVERY = [*RIGHT, *WRONG]


def facts(*red: str, lines: int = 9) -> Facts:
    """The changes named are red; all others are green, and wrong ones fail the tests of right ones."""
    ended = {
        name: CandidateEnded(
            number=1,
            runtimes=(),
            status="red" if name in red else "green",
            problems=int(name in red),
            lines=lines if name in RIGHT else 1,
        )
        for name in EVERY
    }
    crossed = {
        (own, other): Crossed(number=1, of=1, failed=("t",) if own in WRONG and other in RIGHT else ())
        for own in EVERY
        for other in EVERY
    }
    return Facts(ended, crossed)


def test_the_gate_alone_tells_red_from_green() -> None:
    known = facts(*WRONG)
    assert mistaken(known) == ([], 0)
    one, red, always = (simulate(known, 0.5, when, 500) for when in ("one", "red", "always"))
    assert one.right < red.right == always.right and red.false_green == always.false_green == 0
    assert one.attempts == 1 and 1 < red.attempts < always.attempts == 3


def test_cross_tests_tell_a_smaller_wrong_change_from_a_right_one() -> None:
    known = facts()
    assert known.chosen(["right", "only the example"]) == "right"
    assert known.made(["only the example", "right", "right"], "red") == ["only the example"]
    assert known.told_apart("right", "only the example")
    assert simulate(known, 0.5, "always", 500).right > simulate(known, 0.5, "red", 500).right


def test_a_wrong_change_that_passes_everything_is_not_a_mistake_of_the_choice() -> None:
    known = facts()
    blind = Facts(known.ended, {pair: Crossed(number=1, of=1) for pair in known.crossed})
    assert blind.chosen(["right", "only the example"]) == "only the example", "it is smaller"
    assert mistaken(blind) == ([], 0)
