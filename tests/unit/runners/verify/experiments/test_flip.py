"""Which values of a Then step are changed, and into what."""

import re

import pytest

from gherkin.feature.model import parse
from runners.verify.experiments.flip import Flip, flips, input_flips, negated, tolerant
from runners.verify.experiments.scenarios import singles


def _flips(*lines: str) -> list[Flip]:
    text = "Feature: f\n\n  Scenario: s\n" + "".join(f"    {line}\n" for line in lines)
    return flips(singles(parse(text, "f.feature"))[0])


def _changed(flip: Flip, text: str) -> list[str]:
    """The lines of a variant that the scenario does not have."""
    lines = {line.strip() for line in text.splitlines()}
    original = {line.strip() for line in flip.text.splitlines()}
    return sorted(lines - original) or sorted(original)


@pytest.mark.parametrize(
    ("step", "others"),
    [
        ("I get 8", ["I get 9"]),
        ("I get 1", ["I get 2"]),
        ("I get -3", ["I get -4"]),
        ("I get 2.50", ["I get 3.50"]),
        ("I get about 8", ["I get about 9", "I get about 15000", "I get about -15000", "I get about 0"]),
        ("it takes 5 seconds", ["it takes 6 seconds", "it takes 12000 seconds"]),
        ('I read "yes"', ['I read "no"']),
        ('I read "Ann"', ['I read "qnnx"']),
        ("it is due on 2026-03-28", ["it is due on 2026-03-27"]),
        ("it begins at 10:59", ["it begins at 10:58"]),
    ],
)
def test_a_value_becomes_another_one(step: str, others: list[str]) -> None:
    (flip,) = _flips("When I do it", f"Then {step}")
    seen = [text.split("Then ")[1].strip() for text in (flip.text, *flip.more)]
    assert seen[: len(others)] == others


def test_other_values_of_the_scenario_are_tried_too() -> None:
    (flip,) = _flips('Given "Ann" and "Bob"', 'Then the winner is "Ann"')
    assert flip.reference
    assert any('the winner is "Bob"' in text for text in flip.more)


def test_an_expected_value_comes_before_what_an_earlier_step_names() -> None:
    found = _flips('Given "Ann"', 'Then "Ann" has 5 points')
    assert [flip.reference for flip in found] == [False, True]


def test_a_table_is_changed_by_cell_and_by_row() -> None:
    found = _flips("When I sort 4", "Then I see", "  | n | twice | note |", "  | 4 | 8 | even |")
    assert [flip.what for flip in found] == ["“even” → “qvenx”", "“4” → “5”"]
    # The whole row but what an earlier step names.
    assert "| 4 | 9     | qvenx |" in found[0].more[-1]


def test_a_text_is_changed_in_its_longest_line() -> None:
    (flip,) = _flips("When I ask", "Then I read", '  """', "  short", "  the double of 4 is 8", '  """')
    assert "the double of 4 is 9" in flip.text and "short" in flip.text


def test_a_step_without_a_value_gets_other_arguments_and_inverted_assertions() -> None:
    found = _flips("When I do it", "Then it is done")
    assert [(flip.argument, flip.inverted) for flip in found] == [(0, False), (1, False), (None, True)]


def test_only_then_steps_are_changed_and_only_so_many() -> None:
    assert _flips("Given 3 books", "When I buy 2") == []
    assert len(_flips("When I do it", *(f"Then I get {n} and {n} and {n} and {n}" for n in range(4)))) == 6


@pytest.mark.parametrize(
    "text", ["nothing is printed", 'the result is not "9"', "it doesn’t fail", "es gibt keinen Fehler"]
)
def test_a_step_that_says_what_is_not_so_is_known(text: str) -> None:
    step = singles(parse(f"Feature: f\n  Scenario: s\n    Then {text}\n", "f"))[0].scenario.steps[0]
    assert negated(step)


@pytest.mark.parametrize(
    ("text", "ranges"),
    [("I get at least 7", True), ("it takes 5 ms", True), ("I get 7", False), ('I read "about 8"', False)],
)
def test_a_step_that_speaks_of_a_range_is_known(text: str, *, ranges: bool) -> None:
    step = singles(parse(f"Feature: f\n  Scenario: s\n    Then {text}\n", "f"))[0].scenario.steps[0]
    assert tolerant(step) is ranges


@pytest.mark.parametrize(
    ("step", "sides"),
    [
        (
            "I get 8",
            [["12", "13"], ["4", "3"], ["9", "7"], ["7008", "14008"], ["26", "44"], ["-8"]],
        ),
        ("I get 0", [["1", "2"], ["-1", "-2"], ["1", "-1"], ["7000", "14000"], ["18", "36"]]),
        (
            "I get -3",
            [["-2", "-1"], ["-4", "-5"], ["-2", "-4"], ["6997", "13997"], ["15", "33"], ["3"]],
        ),
        (
            "I pay 11.90",
            [
                *(["16.90", "17.90"], ["6.90", "5.90"], ["12.90", "10.90"]),
                *(["7011.90", "14011.90"], ["29.90", "47.90"], ["11.40", "11.20"], ["-11.90"]),
            ],
        ),
        ('I read "Ann 2"', [["Bon 2", "Dqn 2"], ["Ano 2", "Anq 2"]]),
        ('the order is "ab, c"', [["bc, c", "de, c"], ["ab, d", "ab, f"], ["c, ab"]]),
        ('these stand there in any order: "ab, c"', [["bc, c", "de, c"], ["ab, d", "ab, f"]]),
        ('the order with "ab, c" is sent', [["bc, c", "de, c"], ["ab, d", "ab, f"]]),
        ('I see "x"', []),
        ('it is active: "no"', []),
        ("I can undo 8 steps", []),
        ("I get at most 8", []),
        ("it is not 8", []),
        ("it begins at 10:59", [["11:59", "15:59"]]),
    ],
)
def test_an_exact_value_is_changed_in_every_direction(step: str, sides: list[list[str]]) -> None:
    (flip,) = _flips("When I do it", f"Then {step}")
    before, after = re.split(r"8|0|-3|11\.90|Ann 2|ab, c|x|no|10:59", step, maxsplit=1)
    seen = [[text.split("Then ")[1].strip() for text in side.texts] for side in flip.sides]
    assert seen == [[before + value + after for value in side] for side in sides]


def test_numbers_before_the_first_then_are_changed_for_a_look_at_the_inputs() -> None:
    text = "Feature: F\n\n  Scenario: S\n    Given Ann has 3\n    When I add 4\n    Then I get 7\n"
    (single,) = singles(parse(text, "f.feature"))
    assert [flip.what for flip in input_flips(single)][:2] == ["“3” → “4”", "“3” → “10000”"]
    assert {flip.step for flip in input_flips(single)} == {0, 1}
