"""Scenarios that a review adds to a feature, or puts in the place of some of it."""

from typing import Any

import jsonschema
import pytest

from gherkin.feature.model import FeatureInvalid, parse, render, scenario_names
from gherkin.feature.revising import REMARKS_SCHEMA, additions_from_draft, merged, revised

FEATURE = parse(
    "Feature: Double\n\n  Scenario: Doubling\n    When I double 4\n    Then I get 8\n\n"
    "  Rule: Text\n\n    Scenario: Doubling text\n      When I double a\n      Then I get aa\n",
    "double.feature",
)
GERMAN = parse(
    "# language: de\nFunktionalität: Doppelt\n\n  Szenario: Vier\n    Wenn ich 4 sage\n    Dann ist es 8\n",
    "doppelt.feature",
)


def draft(name: str = "Halving", thread: int = 7, replaces: str = "", **more: Any) -> dict[str, Any]:
    steps = [
        {"keyword": "When", "text": "I halve 8", "table": None, "doc_string": None},
        {"keyword": "Then", "text": "I get 4", "table": None, "doc_string": None},
    ]
    return {"remarks": [{"thread": thread, "replaces": replaces, "name": name, "steps": steps, **more}]}


def test_a_draft_follows_its_schema_and_names_the_thread() -> None:
    jsonschema.validate(draft(), REMARKS_SCHEMA)
    (added,) = additions_from_draft(draft(), FEATURE, [7])
    assert (added.thread, added.scenario.name, added.replaces) == (7, "Halving", "")
    assert additions_from_draft({"remarks": []}, FEATURE, [7]) == []


def test_a_new_scenario_stands_behind_those_of_the_feature_and_the_rest_stays() -> None:
    whole = revised(FEATURE, additions_from_draft(draft(), FEATURE, [7]))
    assert scenario_names(whole) == ("Doubling", "Halving", "Doubling text")
    assert next(FEATURE.all_scenarios()) in whole.scenarios
    assert whole.rules == FEATURE.rules


def test_a_scenario_takes_the_place_of_what_it_contradicts_also_in_a_rule() -> None:
    whole = revised(FEATURE, additions_from_draft(draft(replaces="Doubling text"), FEATURE, [7]))
    assert scenario_names(whole) == ("Doubling", "Halving")
    assert [each.name for each in whole.rules[0].scenarios] == ["Halving"]
    same = revised(FEATURE, additions_from_draft(draft("Doubling", replaces="Doubling"), FEATURE, [7]))
    assert [step.text for step in same.scenarios[0].steps] == ["I halve 8", "I get 4"]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (draft(thread=8), "no review thread 8"),
        (draft(replaces="Tripling"), "no scenario “Tripling”"),
        (draft("Doubling"), "“Doubling” already"),
        (draft("Doubling text", replaces="Doubling"), "“Doubling text” already"),
        (draft(" "), "needs a name"),
        (draft(steps=[{"keyword": "When", "text": "I halve 8"}]), "no Then step"),
        ({"scenarios": []}, "scenarios"),
        ({"remarks": 3}, "remarks"),
    ],
)
def test_what_cannot_be_used_is_named(given: Any, says: str) -> None:
    with pytest.raises(FeatureInvalid, match=says):
        additions_from_draft(given, FEATURE, [7])


def test_two_new_scenarios_of_one_name_are_refused() -> None:
    added = additions_from_draft(draft(), FEATURE, [7])
    with pytest.raises(FeatureInvalid, match="Two scenarios are called “Halving”"):
        revised(FEATURE, [*added, *added])


def test_a_draft_gets_the_keywords_of_the_features_language() -> None:
    text = render(revised(GERMAN, additions_from_draft(draft(), GERMAN, [7])))
    assert "  Szenario: Halving\n    Wenn I halve 8\n    Dann I get 4\n" in text
    assert scenario_names(parse(text, "again")) == ("Vier", "Halving")


def test_scenarios_that_somebody_wrote_replace_those_of_their_name_and_take_none_away() -> None:
    given = parse(
        "Feature: X\n  Scenario: Doubling\n    When I double 5\n    Then I get 10\n"
        "  Scenario: Halving\n    When I halve 8\n    Then I get 4\n",
        "given",
    )
    whole = revised(FEATURE, merged(FEATURE, given))
    assert scenario_names(whole) == ("Doubling", "Halving", "Doubling text")
    assert whole.scenarios[0].steps[0].text == "I double 5"
    assert merged(FEATURE, FEATURE) == []


def test_a_background_or_another_language_cannot_be_added() -> None:
    ground = parse("Feature: X\n  Background:\n    Given a\n  Scenario: Y\n    Then b\n", "given")
    with pytest.raises(FeatureInvalid, match="background"):
        merged(FEATURE, ground)
    with pytest.raises(FeatureInvalid, match="another language"):
        merged(FEATURE, GERMAN)
