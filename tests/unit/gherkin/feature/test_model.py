"""Reading and printing features."""

import logging
from typing import Any

import pytest
from behave.i18n import languages
from behave.parser import parse_feature
from behave.step_registry import registry
from hypothesis import given, settings
from hypothesis import strategies as st

from gherkin.feature.model import (
    Background,
    Examples,
    Feature,
    FeatureInvalid,
    Rule,
    Scenario,
    Step,
    Table,
    parse,
    render,
    scenario_names,
)

# -- any feature comes back from its own text ------------------------------------------------------------

_CHARACTERS = st.one_of(
    st.characters(exclude_categories=("C", "Z")), st.sampled_from(list(" |\\\"'<>#@*:")), st.just("\\|")
)
_TEXT = st.lists(_CHARACTERS, min_size=1, max_size=12).map(lambda parts: " ".join("".join(parts).split()))
_WORDS = _TEXT.filter(bool)
_TAGS = st.lists(_WORDS.map(lambda word: "t" + word.replace(" ", "")), max_size=2).map(tuple)
# A dash keeps random text from looking like a keyword.
_DESCRIPTION = st.lists(_TEXT.map(lambda line: f"- {line}".strip()), max_size=2).map(tuple)
_DOC_LINES = st.one_of(_TEXT, _WORDS.map(lambda line: f"   {line}"), st.just('"""'), st.just("# no comment"))
_DOC_STRINGS = st.lists(
    _DOC_LINES.filter(lambda line: not line.lstrip().startswith("'''")), min_size=1, max_size=4
)


@st.composite
def _tables(draw: st.DrawFn, rows: int = 0) -> Table:
    cells = st.lists(_TEXT, min_size=2, max_size=2).map(tuple)
    return Table(headings=draw(cells), rows=tuple(draw(st.lists(cells, min_size=rows, max_size=3))))


@st.composite
def _steps(draw: st.DrawFn, words: dict[str, Any]) -> tuple[Step, ...]:
    steps: list[Step] = []
    for number in range(draw(st.integers(1, 4))):
        kind = draw(st.sampled_from(["given", "when", "then"] + (["and", "but"] if number else [])))
        keyword = draw(st.sampled_from([word.strip() for word in words[kind] if word != "* "]))
        meaning = steps[-1].kind if kind in ("and", "but") else kind
        doc = draw(st.none() | _DOC_STRINGS.map("\n".join))
        table = draw(st.none() | _tables())
        steps.append(Step(keyword=keyword, kind=meaning, text=draw(_WORDS), doc_string=doc, table=table))
    return tuple(steps)


@st.composite
def _scenarios(draw: st.DrawFn, words: dict[str, Any]) -> Scenario:
    outline = draw(st.booleans())
    examples = [
        Examples(
            keyword=draw(st.sampled_from(words["examples"])),
            name=draw(_TEXT),
            tags=draw(_TAGS),
            table=draw(_tables(rows=1)),
        )
        for _ in range(draw(st.integers(1, 2)) if outline else 0)
    ]
    return Scenario(
        keyword=draw(st.sampled_from(words["scenario_outline" if outline else "scenario"])),
        name=draw(_TEXT),
        tags=draw(_TAGS),
        description=draw(_DESCRIPTION),
        steps=draw(_steps(words)),
        examples=tuple(examples),
    )


@st.composite
def _bodies(draw: st.DrawFn, words: dict[str, Any], least: int) -> dict[str, Any]:
    background = Background(
        keyword=draw(st.sampled_from(words["background"])),
        name=draw(_TEXT),
        description=draw(_DESCRIPTION),
        steps=draw(_steps(words)),
    )
    return {
        "name": draw(_TEXT),
        "tags": draw(_TAGS),
        "description": draw(_DESCRIPTION),
        "background": draw(st.sampled_from([None, background])),
        "scenarios": tuple(draw(st.lists(_scenarios(words), min_size=least, max_size=2))),
    }


@st.composite
def _features(draw: st.DrawFn) -> Feature:
    language = draw(st.sampled_from(["en", "de", "fr", "zh-CN", "ja"]))
    words = languages[language]
    rules = [
        Rule(keyword=draw(st.sampled_from(words["rule"])), **draw(_bodies(words, 1)))
        for _ in range(draw(st.integers(0, 2)))
    ]
    body = draw(_bodies(words, 0 if rules else 1))
    keyword = draw(st.sampled_from(words["feature"]))
    return Feature(keyword=keyword, language=language, rules=tuple(rules), **body)


@settings(max_examples=60, deadline=None)
@given(_features())
def test_a_feature_comes_back_from_its_text(feature: Feature) -> None:
    text = render(feature)
    assert parse(text, "f.feature") == feature
    assert render(parse(text, "f.feature")) == text


@pytest.mark.parametrize("language", sorted(languages))
def test_every_language_survives_printing(language: str) -> None:
    words = languages[language]
    steps = "".join(f"    {next(w for w in words[k] if w != '* ')}x\n" for k in ("given", "when", "then"))
    text = f"# language: {language}\n{words['feature'][0]}: f\n  {words['scenario'][0]}: s\n{steps}"
    feature = parse(text, "f.feature")
    assert feature.language == language
    assert len(feature.scenarios[0].steps) == 3
    assert parse(render(feature), "f.feature") == feature


# -- the canonical form ----------------------------------------------------------------------------------

UNTIDY = '''@issue-3    @slow
Feature:   Sums
 As a clerk
      # a remark
 I want sums

 Background:
  Given a desk
 @fast
 Scenario Outline:  Add
    When I add:
     | a\\|b | c |
       |1|a longer one|
    Then I get <n>
    """
    some
      text
    """
   Examples: small ones
    |n|
    |1|
 Rule: Never negative
  Scenario: Take away
    When I take away
    Then nothing is left
'''

TIDY = '''@issue-3 @slow
Feature: Sums
  As a clerk
  I want sums

  Background:
    Given a desk

  @fast
  Scenario Outline: Add
    When I add:
      | a\\|b | c            |
      | 1    | a longer one |
    Then I get <n>
      """
      some
        text
      """

    Examples: small ones
      | n |
      | 1 |

  Rule: Never negative

    Scenario: Take away
      When I take away
      Then nothing is left
'''


def test_the_canonical_form() -> None:
    assert render(parse(UNTIDY, "f.feature")) == TIDY
    assert render(parse(TIDY, "f.feature")) == TIDY


def test_names_come_in_the_order_of_the_file() -> None:
    assert scenario_names(parse(UNTIDY, "f.feature")) == ("Add", "Take away")


def test_behave_reads_what_we_print_as_we_do() -> None:
    found = parse_feature(render(parse(UNTIDY, "f.feature")))
    assert [scenario.name for scenario in found.walk_scenarios()] == ["Add -- @1.1 small ones", "Take away"]


# -- what is refused, and where --------------------------------------------------------------------------

_OK = "  Scenario: fine\n    Given y\n"

REFUSED = {
    "nothing": ("", "there is no feature in it"),
    "prose": ("Please add sums.\n", "line 1: No feature found"),
    "no scenario": ("Feature: f\n", "the feature has no scenario"),
    "no steps": (f"Feature: f\n{_OK}  Scenario: s\n", "line 4: scenario “s” has no steps"),
    "outline without examples": ("Feature: f\n  Scenario Outline: s\n    Given <x>\n", "line 2: outline “s”"),
    "outline without rows": (
        "Feature: f\n  Scenario Outline: s\n    Given <x>\n    Examples:\n      | x |\n",
        "line 4: these examples of “s” have no rows",
    ),
    "second examples without a table": (
        "Feature: f\n  Scenario Outline: s\n    Given <x>\n    Examples:\n      | x |\n      | 1 |\n    "
        "Examples: two\n",
        "line 7: these examples of “s” have no rows",
    ),
    "steps behind the examples": (
        "Feature: f\n  Scenario Outline: s\n    Given <x>\n    Examples:\n      | x |\n      | 1 |\n    "
        "Then y\n",
        "line 7: a step follows the table of examples",
    ),
    "mistyped step": ("Feature: f\n  Scenario: s\n    Givn x\n    When y\n", "line 3: .*“Given”"),
    "step with a colon": ("Feature: f\n  Scenario: s\n    Given: x\n    When y\n", "line 3: .*“Given”"),
    "step without text": ("Feature: f\n  Scenario: s\n    Given\n    When y\n", "line 3: .*“Given”"),
    "mistyped step of a background": (f"Feature: f\n  Background:\n    Gven x\n{_OK}", "line 3: .*“Given”"),
    "mistyped scenario": (f"Feature: f\n  Scenari: s\n    Given x\n{_OK}", "line 2: .*“Scenario:”"),
    "scenario in capitals": (f"Feature: f\n  SCENARIO: s\n    Given x\n{_OK}", "line 2: .*“Scenario:”"),
    "scenario without colon": (f"Feature: f\n  Scenario s\n    Given x\n{_OK}", "line 2: .*“Scenario:”"),
    "mistyped in German": (
        "# language: de\nFunktion: f\n  Szenario: s\n    Angenomen x\n    Wenn y\n",
        "line 4: .*“Angenommen”",
    ),
    "unknown language": ("# language: xx\nFeature: f\n", "line 1: the language 'xx' is not known"),
    "unknown line": (
        "Feature: f\n  Scenario: s\n    Given x\n    hello\n",
        "line 4: “hello” is not a keyword",
    ),
    "And first": ("Feature: f\n  Scenario: s\n    And x\n", "line 3: AND-STEP"),
    "two features": (f"Feature: f\n{_OK}Feature: g\n", "line 4: Multiple features"),
    "bad tag": ("@a b\nFeature: f\n", "line 1: tag: b"),
    "tag on nothing": (f"Feature: f\n{_OK}  @wip\n", "line 4: nothing follows the tag @wip"),
    "uneven table": (
        "Feature: f\n  Scenario: s\n    Given x\n      | a | b |\n      | c |\n",
        "line 5: Malformed",
    ),
    "row without its end": ("Feature: f\n  Scenario: s\n    Given x\n      | a | b\n", "line 4: .* pipe"),
    "table before a step": (f"Feature: f\n  Background:\n    | a |\n{_OK}", "line 3: .*before all steps"),
    "doc string without end": (
        'Feature: f\n  Scenario: s\n    Given x\n    """\n    Scenario: t\n    Given y\n',
        "line 4: the doc string that begins here has no end",
    ),
    "two doc strings": (
        'Feature: f\n  Scenario: s\n    Given x\n    """\n    a\n    """\n    """\n    b\n    """\n',
        "line 7: the step has a doc string already",
    ),
    "two tables": (
        'Feature: f\n  Scenario: s\n    Given x\n    | a |\n    """\n    b\n    """\n    | c |\n',
        "line 8: the step has a table already",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_with_the_line(name: str) -> None:
    text, reason = REFUSED[name]
    with pytest.raises(FeatureInvalid, match=rf"^SCN-2001: in/f\.feature: {reason}"):
        parse(text, "in/f.feature")


@pytest.mark.parametrize(
    "prose",
    [
        "Give users a way to add.",
        "The sums matter.",
        "Rules: see the handbook.",
        "As a clerk",
        "Note: sums.",
        "When numbers are large, sums are hard.",
    ],
)
def test_prose_is_left_alone(prose: str) -> None:
    assert parse(f"Feature: f\n  {prose}\n{_OK}", "f.feature").description == (prose,)


@pytest.mark.parametrize(
    "prose",
    [
        "They meet here.",
        "There is more: see below.",
        "- given that, fine",
        "Example values come from the price list.",
        "Background music plays meanwhile.",
    ],
)
def test_prose_of_a_scenario_is_left_alone(prose: str) -> None:
    feature = parse(f"Feature: f\n  Scenario: s\n    {prose}\n    Given x\n", "f.feature")
    assert feature.scenarios[0].description == (prose,)


def test_reading_is_quiet_and_changes_nothing(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    before = (dict(registry.steps), dict(languages), logging.getLogger("behave").handlers[:])
    with pytest.raises(FeatureInvalid):
        parse(REFUSED["row without its end"][0], "f.feature")
    parse(UNTIDY, "f.feature")
    assert (dict(registry.steps), dict(languages), logging.getLogger("behave").handlers[:]) == before
    assert caplog.records == []
    assert capfd.readouterr() == ("", "")
