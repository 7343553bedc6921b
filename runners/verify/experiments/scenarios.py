"""Split a feature into its scenarios; each row of an outline is one scenario."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from behave.i18n import languages

from gherkin.feature.model import Feature, Rule, Scenario, Step, Table

_PLACEHOLDER = re.compile(r"<([^<>]+)>")


@dataclass(frozen=True)
class Single:
    """One scenario as it is run.

    `feature` contains nothing else; `outline` counts the scenarios of the file from 0.
    """

    outline: int
    feature: Feature

    @property
    def scenario(self) -> Scenario:
        return next(self.feature.all_scenarios())

    @property
    def behaviour(self) -> str:
        """Return the sentence that states the behaviour: the name of the rule, or else of the scenario."""
        return (self.feature.rules[0].name if self.feature.rules else "") or self.scenario.name

    def given(self) -> Iterator[Step]:
        """Return every step before the first Then, including those of backgrounds."""
        rules = [rule.background for rule in self.feature.rules]
        for background in (self.feature.background, *rules):
            yield from background.steps if background else ()
        for step in self.scenario.steps:
            if step.kind == "then":
                return
            yield step

    def having(self, scenario: Scenario) -> Feature:
        """Return the feature with `scenario` in the place of this one."""
        if not self.feature.rules:
            return self.feature.model_copy(update={"scenarios": (scenario,)})
        rule = self.feature.rules[0].model_copy(update={"scenarios": (scenario,)})
        return self.feature.model_copy(update={"rules": (rule,)})


def singles(feature: Feature) -> list[Single]:
    """Return the scenarios of `feature` in the order of the file, in which behave also reports them."""
    found: list[Single] = []
    places: list[tuple[Rule | None, Scenario]] = [(None, each) for each in feature.scenarios]
    places += [(rule, each) for rule in feature.rules for each in rule.scenarios]
    for number, (rule, scenario) in enumerate(places):
        for each in _rows(scenario, feature.language):
            own = (each,)
            update: dict[str, object] = {"scenarios": own if rule is None else (), "rules": ()}
            if rule is not None:
                update["rules"] = (rule.model_copy(update={"scenarios": own}),)
            found.append(Single(number, feature.model_copy(update=update)))
    return found


def _rows(scenario: Scenario, language: str) -> Iterator[Scenario]:
    if not scenario.examples:
        yield scenario
        return
    keyword = languages.get(language, languages["en"])["scenario"][0]
    for examples in scenario.examples:
        table = examples.table
        for row in table.rows if table else ():
            values = dict(zip(table.headings, row, strict=True)) if table else {}
            tags = tuple(tag for tag in (*scenario.tags, *examples.tags) if "<" not in tag)
            yield Scenario(
                keyword=keyword,
                name=_filled(scenario.name, values),
                tags=tags,
                description=scenario.description,
                steps=tuple(_filled_step(step, values) for step in scenario.steps),
            )


def _filled_step(step: Step, values: Mapping[str, str]) -> Step:
    table = step.table and Table(
        headings=tuple(_filled(cell, values) for cell in step.table.headings),
        rows=tuple(tuple(_filled(cell, values) for cell in row) for row in step.table.rows),
    )
    doc_string = None if step.doc_string is None else _filled(step.doc_string, values)
    text = _filled(step.text, values)
    return step.model_copy(update={"text": text, "table": table, "doc_string": doc_string})


def _filled(text: str, values: Mapping[str, str]) -> str:
    return _PLACEHOLDER.sub(lambda found: values.get(found.group(1), found.group()), text)
