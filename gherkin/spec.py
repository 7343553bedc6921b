"""WALKING VERSION of the feature model (replaced by the full one)."""

from typing import Any

from behave.model import Feature as Parsed
from behave.parser import ParserError, parse_feature

from gherkin.errors import ScenaristError


class FeatureInvalid(ScenaristError):
    code = "SCN-2001"
    next_step = "Correct it."


class Feature:
    def __init__(self, text: str, names: tuple[str, ...]) -> None:
        self.text = text
        self.names = names


FEATURE_SCHEMA: dict[str, Any] = {"type": "object"}


def parse(text: str, filename: str) -> Feature:
    try:
        found: Parsed = parse_feature(text, filename=filename)
    except ParserError as error:
        raise FeatureInvalid(str(error)) from None
    return Feature(text, tuple(s.name for s in found.walk_scenarios()))


def render(feature: Feature) -> str:
    return feature.text


def scenario_names(feature: Feature) -> tuple[str, ...]:
    return feature.names


def from_draft(draft: dict[str, Any], *, issue: int) -> Feature:
    lines = [f"@issue-{issue}", f"Feature: {draft['name']}"]
    for scenario in draft["scenarios"]:
        lines += ["", f"  Scenario: {scenario['name']}"]
        lines += [f"    {step['keyword']} {step['text']}" for step in scenario["steps"]]
    return parse("\n".join(lines) + "\n", "draft")
