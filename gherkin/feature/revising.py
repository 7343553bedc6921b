"""Scenarios that a review adds to a feature, or puts in the place of some of it."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from behave.i18n import languages
from pydantic import ValidationError

from gherkin.feature.draft import STEP_SCHEMA, DraftScenario, drafted
from gherkin.feature.model import Feature, FeatureInvalid, Scenario, parse, render, scenario_names
from gherkin.validation import first_problem
from gherkin.values import Frozen

_TEXT = {"type": "string"}
_SCENARIO: dict[str, Any] = {
    "thread": {"type": "integer", "description": "The number of the review thread that asks for it."},
    "replaces": {**_TEXT, "description": "The name of the scenario that it contradicts; empty: none."},
    "name": _TEXT,
    "steps": {"type": "array", "items": STEP_SCHEMA, "minItems": 2, "maxItems": 20},
}
# What a model answers that looks for new behaviour in a review.
REMARKS_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "remarks": {
            "type": "array",
            "description": "A scenario for each behaviour that the review asks for; usually none.",
            "items": {
                "type": "object",
                "properties": _SCENARIO,
                "required": list(_SCENARIO),
                "additionalProperties": False,
            },
            "maxItems": 20,
        }
    },
    "required": ["remarks"],
    "additionalProperties": False,
}


class Addition(NamedTuple):
    """A scenario that the remark `thread` asks for; `replaces` names the one that it takes the place of."""

    thread: int
    scenario: Scenario
    replaces: str = ""


class _RemarkDraft(DraftScenario):
    thread: int
    replaces: str = ""


class _Remarks(Frozen):
    remarks: tuple[_RemarkDraft, ...] = ()


def additions_from_draft(draft: Any, feature: Feature, threads: Sequence[int]) -> list[Addition]:
    """Return the scenarios of a draft that follows `REMARKS_SCHEMA`, in the language of `feature`.

    Raises `FeatureInvalid`, with a message that tells a model what to change.
    """
    try:
        given = _Remarks.model_validate(draft)
    except ValidationError as error:
        raise FeatureInvalid(f"{first_problem(error, 'the answer')}.") from None
    known = scenario_names(feature)
    found: list[Addition] = []
    for each in given.remarks:
        scenario, replaces = drafted(each), " ".join(each.replaces.split())
        if each.thread not in threads:
            raise FeatureInvalid(f"There is no review thread {each.thread}.")
        if replaces and replaces not in known:
            raise FeatureInvalid(f"There is no scenario “{replaces}” that could be replaced.")
        if not scenario.name:
            raise FeatureInvalid("Each scenario needs a name.")
        if scenario.name in known and scenario.name != replaces:
            raise FeatureInvalid(f"There is a scenario “{scenario.name}” already: use another name.")
        found.append(Addition(each.thread, _in_language_of(feature, scenario), replaces))
    return found


def revised(feature: Feature, additions: Sequence[Addition]) -> Feature:
    """Return the feature with the additions: in the place of what they replace, or after its scenarios.

    Raises `FeatureInvalid` where two scenarios would have one name, or the result cannot be read.
    """
    at: dict[str, list[Scenario]] = {}
    for each in additions:
        at.setdefault(each.replaces, []).append(each.scenario)

    def placed(scenarios: Sequence[Scenario]) -> tuple[Scenario, ...]:
        lists = [at.get(each.name, [each]) for each in scenarios]
        return tuple(scenario for found in lists for scenario in found)

    rules = tuple(rule.model_copy(update={"scenarios": placed(rule.scenarios)}) for rule in feature.rules)
    scenarios = (*placed(feature.scenarios), *at.get("", []))
    whole = feature.model_copy(update={"scenarios": scenarios, "rules": rules})
    names = scenario_names(whole)
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise FeatureInvalid(f"Two scenarios are called “{twice[0]}”: each needs a name of its own.")
    return parse(render(whole), "the revised feature")


def merged(feature: Feature, given: Feature) -> list[Addition]:
    """Return what the scenarios of `given` add to `feature`; one of a known name replaces that one.

    Their thread is 0. What `feature` has and `given` lacks stays. Raises `FeatureInvalid` where `given` has
    a background, which would hold for the other scenarios too, or is in another language.
    """
    if given.language != feature.language:
        raise FeatureInvalid("The scenarios are in another language than those of the pull request.")
    grounds = [given.background, *(rule.background for rule in given.rules)]
    known_grounds = [feature.background, *(rule.background for rule in feature.rules)]
    if any(ground is not None and ground not in known_grounds for ground in grounds):
        raise FeatureInvalid("A background cannot be added: write its steps into each scenario.")
    known = {each.name: each for each in feature.all_scenarios()}
    return [
        Addition(0, each, each.name if each.name in known else "")
        for each in given.all_scenarios()
        if known.get(each.name) != each
    ]


def _in_language_of(feature: Feature, scenario: Scenario) -> Scenario:
    """Return a scenario whose keywords are English with those of another feature's language."""
    if feature.language == "en":
        return scenario
    words = languages[feature.language]
    steps = [
        step.model_copy(update={"keyword": _word(words[step.keyword.lower()])}) for step in scenario.steps
    ]
    plain = [each.keyword for each in feature.all_scenarios() if not each.examples]
    keyword = plain[0] if plain else _word(words["scenario"])
    return scenario.model_copy(update={"keyword": keyword, "steps": tuple(steps)})


def _word(known: Sequence[str]) -> str:
    return next(word.strip() for word in known if not word.startswith("*"))
