"""Functions that only know the values of the scenarios, told from those that compute."""

from collections.abc import Sequence

import pytest

from gherkin.feature.model import parse
from runners.verify.experiments.answers import known_answers, literals_of, only_for, other_inputs
from runners.verify.experiments.scenarios import singles
from runners.verify.suites.records import NotedCall

FEATURE = """\
Feature: Orders

  Scenario: Found again
    Given order 17 with
      | what | pieces |
      | tea  | 2.50   |
    When I ask for order 17
    Then I see "17"

  Scenario: Words
    When I say "ping"
    Then I hear "pong"

  Scenario: Nothing given
    When I wait
    Then I see 1
"""


def calls(place: str, **results: str | None) -> list[NotedCall]:
    return [NotedCall(place, (argument.lstrip("_"),), result) for argument, result in results.items()]


def found(own: Sequence[NotedCall], others: Sequence[NotedCall], literals: set[str]) -> list[str]:
    return [each.example for each in known_answers(own, others, {"4"}, {"8"}, literals)]


def test_a_value_that_is_given_twice_is_replaced_by_the_same_one() -> None:
    orders, words, nothing = singles(parse(FEATURE, "orders.feature"))
    first = other_inputs(orders)[0]
    assert first.count("order 18") == 2 and "3.50" in first and "| tea" in first and 'see "17"' in first
    assert any("order 2\n" in each for each in other_inputs(orders))
    assert 'say "pingx"' in other_inputs(words)[0] and "pong" in other_inputs(words)[0]
    assert other_inputs(nothing) == []


@pytest.mark.parametrize(
    ("others", "literals", "learned"),
    [
        # One answer for all, or nothing for what no scenario names.
        ({"_5": "8", "_3": "8", "_2": "8", "_14": "8"}, {"8", "1000"}, True),
        ({"_5": None, "_3": None, "_2": None, "_14": None}, {"4", "8"}, True),
        ({"_5": "0", "_3": "0", "_2": "0", "_14": "0"}, {"4", "8", "0", "answers.json"}, True),
        # It computes; it knows more; three are too few; the answer does not come from the code.
        ({"_5": "10", "_3": "6", "_2": "4", "_14": "28"}, {"4", "8"}, False),
        ({"_5": None, "_3": None, "_2": None, "_14": None}, {"4", "8", "200"}, False),
        ({"_5": "8", "_3": "8", "_2": "8"}, {"8"}, False),
        ({"_5": None, "_3": None, "_2": None, "_14": None}, {"4"}, False),
    ],
)
def test_what_gives_one_answer_for_all_that_no_scenario_names_has_learned_them_by_heart(
    others: dict[str, str | None], literals: set[str], learned: bool
) -> None:
    assert bool(found(calls("1", _4="8"), calls("1", **others), literals)) is learned


def test_an_argument_that_is_never_alike_shows_nothing() -> None:
    own = [NotedCall("1", ("<Cart object at 0x1>",), "8")]
    others = [NotedCall("1", (f"<Cart object at 0x{number}>",), "8") for number in range(2, 8)]
    assert found(own, others, {"8"}) == []


SOURCE = '''\
def double(self, n):
    """Give 8."""
    if n > 7:
        raise ValueError("not 9")
    return {4: 8}[n]
'''


def test_what_the_lines_of_a_change_name() -> None:
    assert literals_of("calc.py", SOURCE, {1, 2, 3, 4, 5}) == {"7", "4", "8"}
    assert literals_of("calc.py", SOURCE, {3}) == {"7"}
    assert literals_of("answers.json", '{"4": 8}\n', {1}) == {"4", "8"}
    assert literals_of("calc.py", "def (", {1}) == set()


def test_a_function_is_broken_for_all_arguments_but_those_that_were_seen() -> None:
    held: dict[str, object] = {}
    exec(only_for(SOURCE.replace("4: 8", "4: 8, 5: 10"), 3, [("4",)]), held)  # noqa: S102 - the test's own
    double = held["double"]
    assert callable(double) and double(None, 4) == 8
    with pytest.raises(RuntimeError, match="broken on purpose"):
        double(None, 5)
    assert only_for(SOURCE, 99, []) == ""
