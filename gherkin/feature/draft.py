"""A model's draft of a feature or of further examples: its schema, and how it becomes a feature."""

import contextlib
import re
from typing import Any, Literal

from pydantic import ValidationError, model_validator

from gherkin.feature.model import FENCES, Feature, FeatureInvalid, Scenario, Step, Table, parse, render
from gherkin.validation import first_problem
from gherkin.values import Frozen


class _DraftTable(Frozen):
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


class _DraftStep(Frozen):
    keyword: Literal["Given", "When", "Then", "And", "But"]
    text: str
    table: _DraftTable | None = None
    doc_string: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _of_line(cls, given: Any) -> Any:
        """Read a step that is written as one line; servers that enforce no schema let that through."""
        if not isinstance(given, str):
            return given
        keyword, _, text = given.strip().partition(" ")
        return {"keyword": keyword, "text": text.strip()}


class DraftScenario(Frozen):
    """A scenario as a model drafts it, with English keywords."""

    name: str
    steps: tuple[_DraftStep, ...]


class _Narrative(Frozen):
    as_a: str
    i_want: str
    so_that: str


class _DraftTerm(Frozen):
    term: str
    meaning: str


class _FeatureDraft(Frozen):
    name: str
    narrative: _Narrative
    scenarios: tuple[DraftScenario, ...]
    questions: tuple[str, ...] = ()
    terms: tuple[_DraftTerm, ...] = ()


# No maxLength, because vLLM's grammars would then allow no escapes, and so no quotation marks in the text.
_TEXT = {"type": "string"}


def _object(**properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _list(items: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": "array", "items": items, **more}


STEP_SCHEMA = _object(
    keyword={"type": "string", "enum": ["Given", "When", "Then", "And", "But"]},
    text={**_TEXT, "description": "The step without its keyword, on one line."},
    table={"anyOf": [{"type": "null"}, _object(headings=_list(_TEXT), rows=_list(_list(_TEXT)))]},
    doc_string={"anyOf": [{"type": "null"}, _TEXT]},
)


FEATURE_SCHEMA: dict[str, Any] = _object(
    name={**_TEXT, "description": "What the feature is, in a few words."},
    narrative=_object(as_a=_TEXT, i_want=_TEXT, so_that=_TEXT),
    scenarios=_list(
        _object(name=_TEXT, steps=_list(STEP_SCHEMA, minItems=2, maxItems=20)), minItems=1, maxItems=20
    ),
    questions=_list({**_TEXT, "description": "An open question to the author of the issue."}, maxItems=5),
    terms=_list(
        _object(term=_TEXT, meaning={**_TEXT, "description": "One sentence."}),
        maxItems=5,
        description="Words of the domain that the scenarios use and the domain language lacks, "
        "if there are any.",
    ),
)


EXAMPLES_SCHEMA: dict[str, Any] = _object(
    examples=_list(
        _object(scenario=_TEXT, steps=_list(STEP_SCHEMA, minItems=2, maxItems=20)),
        maxItems=60,
    )
)


def examples_from_draft(draft: Any, feature: Feature) -> Feature:
    """Return a feature with the examples of a draft that follows `EXAMPLES_SCHEMA`.

    Each example has the name of its scenario in `feature`. Examples that cannot be read are left out. Raises
    `FeatureInvalid` if none remains.
    """
    found: list[Scenario] = []
    for each in draft.get("examples", ()) if isinstance(draft, dict) else ():
        with contextlib.suppress(ValidationError, FeatureInvalid, AttributeError):
            given = {"name": each.get("scenario"), "steps": each.get("steps")}
            found.append(drafted(DraftScenario.model_validate(given)))
    if not found:
        raise FeatureInvalid("There is no example.")
    return Feature(keyword="Feature", name=feature.name, scenarios=tuple(found))


def from_draft(draft: Any, *, issue: int) -> Feature:
    """Return the feature of a draft that follows `FEATURE_SCHEMA`, tagged ``@issue-<issue>``.

    Raises `FeatureInvalid`, with a message that tells a model what to change.
    """
    try:
        given = _FeatureDraft.model_validate(draft)
    except ValidationError as error:
        raise FeatureInvalid(f"{first_problem(error, 'the answer')}.") from None
    names = [_flat(scenario.name) for scenario in given.scenarios]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise FeatureInvalid(f"Two scenarios are called “{sorted(twice)[0]}”: each needs a name of its own.")
    if not names:
        raise FeatureInvalid("There is no scenario: write at least one.")
    if not all(names) or not _flat(given.name):
        raise FeatureInvalid("The feature and each of its scenarios need a name.")
    feature = Feature(
        keyword="Feature",
        name=_flat(given.name),
        tags=(f"issue-{issue}",),
        description=_narrative(given.narrative),
        scenarios=tuple(drafted(scenario) for scenario in given.scenarios),
    )
    return parse(render(feature), "the draft as a file")


def _narrative(given: _Narrative) -> tuple[str, ...]:
    parts = (("As a", given.as_a), ("I want", given.i_want), ("So that", given.so_that))
    return tuple(_led(lead, _flat(text)) for lead, text in parts if _flat(text))


def _led(lead: str, text: str) -> str:
    return text if text.lower().startswith(lead.lower()) else f"{lead} {text}"


def drafted(scenario: DraftScenario) -> Scenario:
    """Return the scenario of a draft. Raises `FeatureInvalid`, with a message for the model."""
    steps: list[Step] = []
    kind: Literal["given", "when", "then"] = "given"
    for number, step in enumerate(scenario.steps):
        if step.keyword in ("And", "But"):
            if number == 0:
                raise FeatureInvalid(
                    f"“{scenario.name}” begins with {step.keyword}: begin with Given or When."
                )
        else:
            kind = step.keyword.lower()  # type: ignore[assignment]
        text = re.sub(r"^(Given|When|Then|And|But)\s+", "", _flat(step.text))
        if not text:
            raise FeatureInvalid(f"“{scenario.name}” has an empty step.")
        steps.append(
            Step(
                keyword=step.keyword,
                kind=kind,
                text=text,
                table=_drafted_table(step.table, scenario.name),
                doc_string=_drafted_text(step.doc_string, scenario.name),
            )
        )
    if not any(step.kind == "then" for step in steps):
        raise FeatureInvalid(f"“{scenario.name}” has no Then step: it would prove nothing.")
    return Scenario(keyword="Scenario", name=_flat(scenario.name), steps=tuple(steps))


def _drafted_table(table: _DraftTable | None, scenario: str) -> Table | None:
    if table is None or not table.headings:
        return None
    if any(len(row) != len(table.headings) for row in table.rows):
        raise FeatureInvalid(f"A table in “{scenario}” has rows of different lengths.")
    clean = tuple(tuple(_flat(cell) for cell in row) for row in (table.headings, *table.rows))
    return Table(headings=clean[0], rows=clean[1:])


def _drafted_text(text: str | None, scenario: str) -> str | None:
    """Return a doc string as the parser will read it, which also ends lines at form feeds and the like."""
    if not text or not text.strip():
        return None
    lines = [line.rstrip() for line in text.strip("\n").splitlines()]
    if all(any(line.lstrip().startswith(fence) for line in lines) for fence in FENCES):
        raise FeatureInvalid(f"A doc string in “{scenario}” has lines that begin with both \"\"\" and '''.")
    return "\n".join(lines)


def _flat(text: str) -> str:
    return " ".join(text.split())
