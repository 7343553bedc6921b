"""The catalogue of step definitions, what it lacks, and Then steps that prove nothing."""

import pytest

from gherkin.feature.model import Feature, Step, parse
from gherkin.feature.steps import (
    StepDefinition,
    catalogue,
    describe,
    fits,
    then_texts,
    undefined_steps,
)

SOURCE = """
import behave
from behave import given, then as outcome, use_step_matcher

raise_me = 1 / 0  # nothing of this is run

@given("a basket")
def basket(context): ...

@behave.when("I add {count:d} "
             "books")
@behave.step("books: {count:d}")
def add(context, count): ...

use_step_matcher("re")

@outcome(r"I see (?P<count>\\d+) books?")
async def see(context, count): ...

try:
    use_step_matcher("cfparse")
    @outcome("I see {names:Name+}")
    def names(context, names): ...
except ImportError:
    pass

@property
def no_step(self): ...

@given(strategy)
def computed(context): ...

def nested():
    @given("inside a function")
    def inside(context): ...
"""


def _feature(*steps: str, more: str = "") -> Feature:
    lines = "".join(f"    {step}\n" for step in steps)
    return parse(f"Feature: f\n  Scenario{' Outline' if more else ''}: s\n{lines}{more}", "f.feature")


def _texts(steps: list[Step]) -> list[str]:
    return [step.text for step in steps]


def test_the_catalogue_is_read_without_running_anything() -> None:
    found = catalogue({"features/steps/b.py": SOURCE, "a.txt": "not Python at all", "z.py": "\0"})
    assert found == [
        StepDefinition(
            kind=kind, pattern=pattern, path="features/steps/b.py", line=line, function=name, matcher=how
        )
        for kind, pattern, line, name, how in [
            ("given", "a basket", 8, "basket", "parse"),
            ("when", "I add {count:d} books", 13, "add", "parse"),
            ("step", "books: {count:d}", 13, "add", "parse"),
            ("then", r"I see (?P<count>\d+) books?", 18, "see", "re"),
            ("then", "I see {names:Name+}", 23, "names", "cfparse"),
        ]
    ]


def test_each_file_begins_with_the_default_matcher() -> None:
    other = 'from behave import *\n@Given("x")\ndef x(c): ...\n'
    assert [each.matcher for each in catalogue({"a.py": SOURCE, "b.py": other})][-1] == "parse"


def test_the_description_is_one_line_each_and_cut() -> None:
    found = catalogue({"b.py": '@given("""a\nb""")\ndef a(c): ...\n@when("c")\ndef c(c): ...\n'})
    assert describe(found, 1) == "Given a b  (b.py:3)\n… and 1 more"
    assert describe(found, 2) == "Given a b  (b.py:3)\nWhen c  (b.py:5)"


def test_undefined_steps_are_those_behave_would_not_find() -> None:
    definitions = catalogue({"b.py": SOURCE})
    feature = _feature(
        "Given a basket",
        "And a Basket",
        "And books: 3",
        "When I add 2 books",
        "And I add two books",
        "And a basket",
        "Then I see 1 book",
        "And I see 1 books",
        "And I see 1 book now",
        "And I see Ann, Bob",
        "And I add two books",
        "But I hear",
        "But I hear",
    )
    assert [(step.kind, step.text) for step in undefined_steps(feature, definitions)] == [
        ("given", "a Basket"),
        ("when", "I add two books"),
        ("when", "a basket"),
        ("then", "I add two books"),
        ("then", "I hear"),
    ]


def test_backgrounds_and_rules_count() -> None:
    text = (
        "Feature: f\n  Background:\n    Given one\n  Rule: r\n    Background:\n      Given two\n"
        "    Scenario: s\n      Given three\n"
    )
    assert _texts(undefined_steps(parse(text, "f.feature"), [])) == ["one", "two", "three"]


def test_an_outline_is_tried_with_its_rows() -> None:
    rows = "    Examples:\n      | n | what |\n      | {} | books |\n"
    steps = ("When I add <n> <what>",)
    definitions = catalogue({"b.py": SOURCE})
    assert undefined_steps(_feature(*steps, more=rows.format("3")), definitions) == []
    assert _texts(undefined_steps(_feature(*steps, more=rows.format("many")), definitions)) == [
        "I add <n> <what>"
    ]


@pytest.mark.parametrize(
    ("matcher", "pattern", "text", "defined"),
    [
        ("re", "a|b", "a", True),
        ("re", "a", "ab", False),
        ("re", "(", "(", False),
        ("re0", "a", "ab", True),
        ("parse", "{x:Colour} sky", "blue sky", True),
        ("parse", "{x:Colour} sky", "blue sea", False),
        ("cfparse", "see{x:Name?}", "see", True),
        ("cucumber_expressions", "I have {int} books", "I have 3 books", True),
        ("parse", "{x:tg}", "99/99/9999 10:00:00", True),
        ("parse", "a {", "b", False),
    ],
)
def test_matchers(matcher: str, pattern: str, text: str, defined: bool) -> None:
    definition = StepDefinition(
        kind="given", pattern=pattern, path="b.py", line=1, function="f", matcher=matcher
    )
    assert (undefined_steps(_feature(f"Given {text}"), [definition]) == []) is defined


@pytest.mark.parametrize("source", ["def", "\0", "-" * 200_000 + "1", "if a: b\n" + "elif a: b\n" * 5_000])
def test_what_is_not_python_is_a_syntax_error(source: str) -> None:
    assert catalogue({"b.py": source}) == []


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("I get {n:d}", "I get 8", True),
        ("I get {n:d}", "I got 8", False),
        ("{a} and {b} make {c}", "1 and 2 make 3", True),
        ("{a} and {b} make {c}", "1 make 2 and 3", False),
        ("all is well", "all is well", True),
        ("all is well", "all is well now", False),
        ("{a}", "anything", True),
        ("x{a}x", "x", False),
    ],
)
def test_a_pattern_fits_by_its_literal_parts(pattern: str, text: str, expected: bool) -> None:
    assert fits(pattern, text) is expected


def test_the_texts_of_outcomes_have_the_values_of_their_rows() -> None:
    feature = _feature(
        "When I double <n>",
        "Then I get <r>",
        "And all is well",
        more="    Examples:\n      | n | r |\n      | 4 | 8 |\n      | 5 | 10 |\n",
    )
    assert then_texts(feature) == ["I get 8", "I get 10", "all is well", "all is well"]
