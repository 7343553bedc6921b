"""The model of a feature, read by behave's own parser and printed in one canonical form.

Comments are not kept. Gherkin's reference: https://cucumber.io/docs/gherkin/reference/
"""

import contextlib
import re
from collections.abc import Iterator, Sequence
from typing import Any, Literal

from behave import model as behave_model
from pydantic import ValidationError, model_validator

from gherkin.errors import ScenaristError
from gherkin.feature.strict import NotGherkin, read
from gherkin.validation import first_problem
from gherkin.values import Frozen


class FeatureInvalid(ScenaristError):
    """A feature text or draft is not valid Gherkin, or would run nothing."""

    code = "SCN-2001"
    next_step = "Correct the Gherkin at the place named."


class Table(Frozen):
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...] = ()


class Step(Frozen):
    """One step; `kind` is given, when or then, also for And and But."""

    keyword: str
    kind: Literal["given", "when", "then"]
    text: str
    table: Table | None = None
    doc_string: str | None = None


class Examples(Frozen):
    keyword: str
    name: str = ""
    tags: tuple[str, ...] = ()
    table: Table | None = None


class Scenario(Frozen):
    """A scenario, or an outline if it has examples."""

    keyword: str
    name: str
    tags: tuple[str, ...] = ()
    description: tuple[str, ...] = ()
    steps: tuple[Step, ...] = ()
    examples: tuple[Examples, ...] = ()


class Background(Frozen):
    keyword: str
    name: str = ""
    description: tuple[str, ...] = ()
    steps: tuple[Step, ...] = ()


class Rule(Frozen):
    keyword: str
    name: str
    tags: tuple[str, ...] = ()
    description: tuple[str, ...] = ()
    background: Background | None = None
    scenarios: tuple[Scenario, ...] = ()


class Feature(Frozen):
    keyword: str
    name: str
    language: str = "en"
    tags: tuple[str, ...] = ()
    description: tuple[str, ...] = ()
    background: Background | None = None
    scenarios: tuple[Scenario, ...] = ()
    rules: tuple[Rule, ...] = ()

    def all_scenarios(self) -> Iterator[Scenario]:
        """Yield every scenario and outline, those of rules last."""
        yield from self.scenarios
        for rule in self.rules:
            yield from rule.scenarios


def scenario_names(feature: Feature) -> tuple[str, ...]:
    """Return the names of all scenarios and outlines in the order of the file; outlines are not expanded."""
    return tuple(scenario.name for scenario in feature.all_scenarios())


# -- reading ---------------------------------------------------------------------------------------------


def parse(text: str, filename: str, language: str | None = None) -> Feature:
    """Read a feature file's text; `filename` is only for messages.

    `language` is the code of the language of a text without a ``# language:`` line; None means English.

    Raises `FeatureInvalid`, with the line, for errors that behave reports, and for those that it ignores and
    then does not run: no scenario, a scenario without steps, an outline or examples without rows, steps after
    the examples, a mistyped keyword that became a description, a doc string without end, a row without its
    last pipe.
    """
    try:
        return _feature(read(text, language))
    except NotGherkin as error:
        where = f"line {error.line}: " if error.line else ""
        raise FeatureInvalid(f"{filename}: {where}{error.reason}.") from None


def _feature(found: behave_model.Feature) -> Feature:
    return Feature(
        keyword=found.keyword,
        name=found.name,
        language=found.language or "en",
        tags=tuple(map(str, found.tags)),
        description=tuple(found.description or ()),
        background=_background(found.background),
        scenarios=tuple(map(_scenario, found.scenarios)),
        rules=tuple(
            Rule(
                keyword=rule.keyword,
                name=rule.name,
                tags=tuple(map(str, rule.tags)),
                description=tuple(rule.description or ()),
                background=_background(rule.background),
                scenarios=tuple(map(_scenario, rule.scenarios)),
            )
            for rule in found.rules
        ),
    )


def _background(found: Any) -> Background | None:
    # A rule without a background has an empty one in behave's model.
    if found is None or not (found.name or found.description or found.steps):
        return None
    return Background(
        keyword=found.keyword,
        name=found.name,
        description=tuple(found.description or ()),
        steps=tuple(map(_step, found.steps)),
    )


def _scenario(found: Any) -> Scenario:
    examples = getattr(found, "examples", ())
    return Scenario(
        keyword=found.keyword,
        name=found.name,
        tags=tuple(map(str, found.tags)),
        description=tuple(found.description or ()),
        steps=tuple(map(_step, found.steps)),
        examples=tuple(
            Examples(
                keyword=each.keyword,
                name=each.name,
                tags=tuple(map(str, each.tags)),
                table=_table(each.table),
            )
            for each in examples
        ),
    )


def _step(found: Any) -> Step:
    return Step(
        keyword=found.keyword,
        kind=found.step_type,
        text=found.name,
        table=_table(found.table),
        doc_string=None if found.text is None else str(found.text),
    )


def _table(found: Any) -> Table | None:
    if found is None:
        return None
    return Table(headings=tuple(found.headings), rows=tuple(tuple(row.cells) for row in found.rows))


# -- printing --------------------------------------------------------------------------------------------


_FENCES = ('"""', "'''")


def render(feature: Feature, default_language: str | None = None) -> str:
    """Return the canonical text: two spaces a level, aligned tables, one empty line between the parts.

    The text names its language if the feature's language or `default_language` (behave's configured one) is
    not English. ``parse(render(feature), …) == feature`` for every result of `parse` and `from_draft`.
    """
    lines: list[str] = []
    if feature.language != "en" or default_language is not None:
        lines.append(f"# language: {feature.language}")
    lines += _head(feature.tags, feature.keyword, feature.name, feature.description, "")
    lines += _body(feature.background, feature.scenarios, "  ")
    for rule in feature.rules:
        lines += ["", *_head(rule.tags, rule.keyword, rule.name, rule.description, "  ")]
        lines += _body(rule.background, rule.scenarios, "    ")
    return "\n".join(lines) + "\n"


def _head(tags: Sequence[str], keyword: str, name: str, description: Sequence[str], indent: str) -> list[str]:
    lines = [indent + " ".join(f"@{tag}" for tag in tags)] if tags else []
    lines.append(f"{indent}{keyword}: {name}".rstrip())
    return lines + [f"{indent}  {line}".rstrip() for line in description]


def _body(background: Background | None, scenarios: Sequence[Scenario], indent: str) -> list[str]:
    lines: list[str] = []
    if background is not None:
        lines += ["", *_head((), background.keyword, background.name, background.description, indent)]
        lines += _steps(background.steps, indent + "  ")
    for scenario in scenarios:
        lines += ["", *_head(scenario.tags, scenario.keyword, scenario.name, scenario.description, indent)]
        lines += _steps(scenario.steps, indent + "  ")
        for examples in scenario.examples:
            lines += ["", *_head(examples.tags, examples.keyword, examples.name, (), indent + "  ")]
            lines += _rows(examples.table, indent + "    ")
    return lines


def _steps(steps: Sequence[Step], indent: str) -> list[str]:
    lines: list[str] = []
    for step in steps:
        # Chinese and Japanese have no space between keyword and text.
        lines.append(f"{indent}{step.keyword} {step.text}".rstrip())
        if step.doc_string is not None:
            # A line that begins with the delimiter would end the doc string; behave has two delimiters.
            text = step.doc_string.split("\n")
            fence = next(f for f in _FENCES if not any(line.lstrip().startswith(f) for line in text))
            body = [f"{indent}  {line}".rstrip() for line in text]
            lines += [f"{indent}  {fence}", *body, f"{indent}  {fence}"]
        lines += _rows(step.table, indent + "  ")
    return lines


def _rows(table: Table | None, indent: str) -> list[str]:
    if table is None:
        return []
    rows = [[cell.replace("|", "\\|") for cell in row] for row in (table.headings, *table.rows)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        indent + "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in rows
    ]


# -- a model's draft -------------------------------------------------------------------------------------


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


class _DraftScenario(Frozen):
    name: str
    steps: tuple[_DraftStep, ...]


class _Narrative(Frozen):
    as_a: str
    i_want: str
    so_that: str


class _DraftTerm(Frozen):
    term: str
    meaning: str


class _Draft(Frozen):
    name: str
    narrative: _Narrative
    scenarios: tuple[_DraftScenario, ...]
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


_STEP_SCHEMA = _object(
    keyword={"type": "string", "enum": ["Given", "When", "Then", "And", "But"]},
    text={**_TEXT, "description": "The step without its keyword, on one line."},
    table={"anyOf": [{"type": "null"}, _object(headings=_list(_TEXT), rows=_list(_list(_TEXT)))]},
    doc_string={"anyOf": [{"type": "null"}, _TEXT]},
)

FEATURE_SCHEMA: dict[str, Any] = _object(
    name={**_TEXT, "description": "What the feature is, in a few words."},
    narrative=_object(as_a=_TEXT, i_want=_TEXT, so_that=_TEXT),
    scenarios=_list(
        _object(name=_TEXT, steps=_list(_STEP_SCHEMA, minItems=2, maxItems=20)), minItems=1, maxItems=20
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
        _object(scenario=_TEXT, steps=_list(_STEP_SCHEMA, minItems=2, maxItems=20)),
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
            found.append(_drafted(_DraftScenario.model_validate(given)))
    if not found:
        raise FeatureInvalid("There is no example.")
    return Feature(keyword="Feature", name=feature.name, scenarios=tuple(found))


def from_draft(draft: Any, *, issue: int) -> Feature:
    """Return the feature of a draft that follows `FEATURE_SCHEMA`, tagged ``@issue-<issue>``.

    Raises `FeatureInvalid`, with a message that tells a model what to change.
    """
    try:
        given = _Draft.model_validate(draft)
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
        scenarios=tuple(_drafted(scenario) for scenario in given.scenarios),
    )
    return parse(render(feature), "the draft as a file")


def _narrative(given: _Narrative) -> tuple[str, ...]:
    parts = (("As a", given.as_a), ("I want", given.i_want), ("So that", given.so_that))
    return tuple(_led(lead, _flat(text)) for lead, text in parts if _flat(text))


def _led(lead: str, text: str) -> str:
    return text if text.lower().startswith(lead.lower()) else f"{lead} {text}"


def _drafted(scenario: _DraftScenario) -> Scenario:
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
    if all(any(line.lstrip().startswith(fence) for line in lines) for fence in _FENCES):
        raise FeatureInvalid(f"A doc string in “{scenario}” has lines that begin with both \"\"\" and '''.")
    return "\n".join(lines)


def _flat(text: str) -> str:
    return " ".join(text.split())
