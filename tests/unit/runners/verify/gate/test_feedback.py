"""What a model is told of a red verdict: short, without repetition, and the first of each kind."""

import pytest

from runners.verify.gate.feedback import MAX_FEEDBACK, feedback
from runners.verify.verdict import Counts, Failure, Problem, ScenarioProof, Suite, Verdict

NAMES = [f"tests/test_shop.py::test_{number}" for number in range(900)]


def red(message: str, *, same: bool = False) -> Verdict:
    """A verdict of 900 tests that fail with `message`, each in another way unless they are the `same`."""
    failures = tuple(
        Failure(
            test=name, message=message if same else f"{message} in {name}", path="tests/test_shop.py", line=3
        )
        for name in NAMES
    )
    return Verdict(
        base_sha="a" * 40,
        head_sha="b" * 40,
        scenarios=(
            ScenarioProof(
                name="Doubling", path="f", line=3, base="failed", head="failed", head_message="8 != 4"
            ),
        ),
        suites=(Suite(name="pytest", base=Counts(), head=Counts(), regressions=failures),),
        failures=failures,
        problems=(
            *(
                Problem(code="regression", message=f"{name} passed before and does not now.")
                for name in NAMES
            ),
            Problem(code="scenario-not-green", message="“Doubling” does not pass with the change."),
            Problem(code="secret-added", message="a.py has what looks like a key."),
        ),
    )


@pytest.mark.parametrize("same", [True, False])
def test_a_verdict_of_200_kb_becomes_a_short_text(same: bool) -> None:
    verdict = red("assert total == 5\n" * 10, same=same)
    assert len(verdict.model_dump_json()) > 200_000
    text = feedback(verdict, earlier=[verdict], diff=lambda *_: "+x\n" * 50_000)
    assert len(text) < MAX_FEEDBACK
    assert "“Doubling” does not pass" in text and "looks like a key" in text, "one of each kind comes first"
    assert "8 != 4" in text and "Left out:" in text and "Run the tests" in text
    assert text.count("test_0 passed before") == 1


def test_failures_of_one_cause_are_told_once() -> None:
    text = feedback(red("ImportError: no module named shop", same=True))
    assert text.count("ImportError") == 1 and "The same in tests/test_shop.py::test_1" in text
    assert "and 894 more." in text


def test_findings_of_the_same_words_are_told_once() -> None:
    problem = Problem(code="regression", message="x is gone.")
    verdict = Verdict(base_sha="a", head_sha="b", problems=(problem, problem))
    assert feedback(verdict) == "The verification failed:\n- x is gone."


def test_one_huge_message_is_cut_and_leaves_room_for_the_others() -> None:
    problems = (
        Problem(code="environment-broken", message="trace\n" * 40_000),
        Problem(code="no-change", message="Nothing was changed."),
    )
    text = feedback(Verdict(base_sha="a", head_sha="b", problems=problems))
    assert "characters cut" in text and "Nothing was changed." in text and len(text) < 1000


def test_what_is_new_since_the_last_verdict_comes_with_the_difference() -> None:
    first = red("x").model_copy(update={"failures": (), "suites": ()})
    text = feedback(red("y"), earlier=[first], diff=lambda *_: "+broken")
    assert "Failed in exactly the same way last time: Doubling." in text
    assert "Passed last time: tests/test_shop.py::test_0" in text and "+broken" in text
