"""The model of a feature, read by behave's own parser and printed in one canonical form.

Comments are not kept. Gherkin's reference: https://cucumber.io/docs/gherkin/reference/
"""

from collections.abc import Iterator, Sequence
from typing import Any, Literal

from behave import model as behave_model

from gherkin.errors import ScenaristError
from gherkin.feature.strict import NotGherkin, read
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


FENCES = ('"""', "'''")


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
            fence = next(f for f in FENCES if not any(line.lstrip().startswith(f) for line in text))
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
