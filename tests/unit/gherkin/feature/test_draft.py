"""Features built from a model's draft."""

import json
from typing import Any

import jsonschema
import pytest

from gherkin.feature.draft import FEATURE_SCHEMA, from_draft
from gherkin.feature.model import (
    FeatureInvalid,
    parse,
    render,
)


def _draft(**changes: Any) -> dict[str, Any]:
    steps = [
        {
            "keyword": "Given",
            "text": "these  books:",
            "table": {"headings": ["a|b"], "rows": [["1"]]},
            "doc_string": None,
        },
        {"keyword": "When", "text": "When I say", "table": None, "doc_string": "  one\n\ntwo\n"},
        {"keyword": "Then", "text": "it is\nright", "table": None, "doc_string": None},
        {"keyword": "And", "text": "nobody sees 'it'", "table": None, "doc_string": None},
    ]
    whole: dict[str, Any] = {
        "name": "Sums",
        "narrative": {"as_a": "clerk", "i_want": "I want sums", "so_that": ""},
        "scenarios": [{"name": "Add", "steps": steps}],
        "questions": ["How large?"],
        "terms": [],
    }
    return whole | changes


def _scenario(*steps: tuple[str, str], **more: Any) -> dict[str, Any]:
    return {
        "name": "s",
        "steps": [{"keyword": k, "text": t, "table": None, "doc_string": None, **more} for k, t in steps],
    }


def test_a_draft_becomes_a_feature() -> None:
    feature = from_draft(_draft(), issue=12)
    assert render(feature) == (
        "@issue-12\nFeature: Sums\n  As a clerk\n  I want sums\n\n"
        "  Scenario: Add\n"
        "    Given these books:\n      | a\\|b |\n      | 1    |\n"
        '    When I say\n      """\n        one\n\n      two\n      """\n'
        "    Then it is right\n    And nobody sees 'it'\n"
    )
    assert parse(render(feature), "f.feature") == feature


def test_the_schema_accepts_the_draft_and_is_strict_everywhere() -> None:
    jsonschema.Draft202012Validator.check_schema(FEATURE_SCHEMA)
    jsonschema.validate(_draft(), FEATURE_SCHEMA)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(_draft(more=1), FEATURE_SCHEMA)
    objects = [FEATURE_SCHEMA]
    while objects:
        part = objects.pop()
        if part.get("type") == "object":
            assert part["additionalProperties"] is False
            assert part["required"] == list(part["properties"])
        objects += [each for value in part.values() for each in _schemas_in(value)]


def _schemas_in(value: Any) -> list[dict[str, Any]]:
    if isinstance(value, dict):
        return [value, *(each for each in value.values() if isinstance(each, dict))]
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


@pytest.mark.parametrize("text", ['"""\nx', "'''\nx", "a\x0cb", 'a\u2028"""\u2028Given z', "\ta", "a\r\nb"])
def test_no_doc_string_of_a_draft_ends_early(text: str) -> None:
    steps = [("When", "x"), ("Then", "y")]
    feature = from_draft(_draft(scenarios=[_scenario(*steps, doc_string=text)]), issue=1)
    assert parse(render(feature), "f.feature") == feature


@pytest.mark.parametrize(
    ("draft", "says"),
    [
        ([], "the answer should hold keys and values"),
        ({}, "name is missing"),
        (_draft(scenarios=[]), "There is no scenario"),
        (_draft(name=" "), "The feature and each of its scenarios need a name"),
        (
            _draft(scenarios=[_scenario(("Then", "x")), _scenario(("Then", "y"))]),
            "Two scenarios are called “s”",
        ),
        (_draft(scenarios=[_scenario(("Given", "x"), ("When", "y"))]), "“s” has no Then step"),
        (_draft(scenarios=[_scenario(("And", "x"), ("Then", "y"))]), "“s” begins with And"),
        (_draft(scenarios=[_scenario(("When", " "), ("Then", "y"))]), "“s” has an empty step"),
        (
            _draft(scenarios=[_scenario(("Whenever", "x"))]),
            r"scenarios\[0\]\.steps\[0\]\.keyword should be one of 'Given'",
        ),
        (
            _draft(scenarios=[_scenario(("Then", "x"), table={"headings": ["a"], "rows": [["1", "2"]]})]),
            "A table in “s” has rows of different lengths",
        ),
        (_draft(scenarios=[_scenario(("Then", "x"), doc_string="'''\n\"\"\"")]), "A doc string in “s”"),
        (_draft(name=json.loads('"\\ud800"')), "the draft as a file: line 2: this line contains half"),
    ],
)
def test_a_bad_draft_is_told_what_to_change(draft: Any, says: str) -> None:
    with pytest.raises(FeatureInvalid, match=f"^SCN-2001: {says}"):
        from_draft(draft, issue=1)
