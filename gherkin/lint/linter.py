"""Find faults in valid scenarios: vague outcomes, several actions, steps that exist in other words.

The rules follow what writers of Gherkin agree on: https://cucumber.io/docs/bdd/better-gherkin/
"""

from collections.abc import Iterator, Sequence
from typing import Any

from behave.i18n import languages

from gherkin.domain.language import Domain
from gherkin.feature.steps import StepDefinition
from gherkin.feature.strict import NotGherkin, read
from gherkin.lint.findings import Finding, finding
from gherkin.lint.near_duplicates import near_duplicates, undefined
from gherkin.lint.parts import scenarios_of, steps_of, whole_text
from gherkin.lint.traces import traces
from gherkin.lint.wording import domain_words, step_findings

_MAX_SCENARIOS = 20


def lint(
    text: str,
    *,
    definitions: Sequence[StepDefinition] = (),
    domain: Domain | None = None,
    criteria: Sequence[str] = (),
    max_scenarios: int = _MAX_SCENARIOS,
    words: Sequence[str] = (),
    language: str | None = None,
) -> list[Finding]:
    """Return the findings in a feature file's text, ordered by line.

    `definitions` are the repository's step definitions, `domain` is its domain language, `criteria` are the
    story's acceptance criteria, and `words` are further words of the project. `language` is the code of the
    language of a text that names none; None means English.
    """
    try:
        feature = read(text, language)
    except NotGherkin as error:
        return [finding("not-gherkin", error.line or 0, f"{error.reason}.")]
    domain = domain or Domain()
    own = domain_words(feature, definitions, domain, [*criteria, *words])
    found = [
        *_names(feature, max_scenarios),
        *(each for scenario in scenarios_of(feature) for each in _scenario(scenario, _whens(feature))),
        *(each for step in steps_of(feature) for each in step_findings(step, domain, own)),
        *near_duplicates(feature, undefined(text, definitions, language), definitions),
        *traces(feature, criteria),
    ]
    return sorted(found, key=lambda each: (each.line, each.code))


def findings_in_words(text: str, findings: Sequence[Finding]) -> tuple[str, ...]:
    """Return the findings on a feature file's `text`, a line each, with the scenario and the line; none
    twice.
    """
    try:
        scenarios = sorted((each.line, each.name) for each in scenarios_of(read(text)))
    except NotGherkin:
        scenarios = []
    said = []
    for each in findings:
        name = next((name for line, name in reversed(scenarios) if line <= each.line), "")
        where = f"line {each.line}" + (f", “{name}”" if name and name not in each.message else "")
        said.append(f"{where}: {each.message}" if each.line else each.message)
    return tuple(dict.fromkeys(said))


def _names(feature: Any, most: int) -> Iterator[Finding]:
    first: dict[str, int] = {}
    scenarios = list(scenarios_of(feature))
    for scenario in scenarios:
        name = " ".join(scenario.name.lower().split())
        if name in first:
            yield finding(
                "duplicate-name",
                scenario.line,
                f"“{scenario.name}” is the name of line {first[name]} as well.",
            )
        first.setdefault(name, scenario.line)
    if len(scenarios) > most:
        line = scenarios[most].line
        yield finding(
            "too-many-scenarios",
            line,
            f"{len(scenarios)} scenarios; more than {most} are not read with care.",
        )


def _whens(feature: Any) -> frozenset[str]:
    """Return the keywords that mean When in the file's language."""
    return frozenset(word.strip().lower() for word in languages[feature.language or "en"]["when"]) - {"*"}


def _scenario(scenario: Any, when_words: frozenset[str]) -> Iterator[Finding]:
    kinds = [step.step_type for step in scenario.steps]
    if "then" not in kinds:
        yield finding("no-then", scenario.line, f"“{scenario.name}” has no Then: it proves nothing.")
    whens = [step for step in scenario.steps if step.keyword.strip().lower() in when_words]
    for step in whens[1:]:
        yield finding(
            "several-whens", step.line, f"“{scenario.name}” has another When: make it a scenario of its own."
        )
    tables = [each.table for each in getattr(scenario, "examples", ()) if each.table is not None]
    said = "\n".join([scenario.name, *(whole_text(step) for step in scenario.steps)])
    for table in tables:
        for heading in table.headings:
            if f"<{heading}>" not in said:
                yield finding("unused-column", table.line, f"No step of “{scenario.name}” uses <{heading}>.")
    if tables and sum(len(table.rows) for table in tables) == 1:
        yield finding(
            "single-row-outline", scenario.line, f"“{scenario.name}” has one row: write it as a scenario."
        )
