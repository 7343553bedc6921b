"""Held-out examples: further examples of a scenario that the author of the change never sees.

They are kept as a feature file. Each of its scenarios has the name of the scenario that it belongs to, and
the same step texts with other values.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from gherkin.feature.model import Feature, Scenario, Step, parse, render
from runners.verify.experiments.scenarios import Single, singles

MOST = 3

_VALUE = re.compile(
    r""""[^"]*"|(?<!\w)'[^']*'(?!\w)|“[^”]*”|«[^»]*»|`[^`]*`|-?\b\d+(?:[.,:-]\d+)*\b|\b(?:true|false|yes|no)\b""",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Example:
    """One example of the scenario named `scenario`.

    `behaviour` is the sentence that it is an example of, and `steps` are its steps as text. `text` is a
    feature file that replaces the scenario's, and `found` the example as it was read.
    """

    scenario: str
    behaviour: str
    steps: str
    text: str
    found: Scenario


def read_examples(
    content: str, feature: Feature, path: str = "the held-out examples"
) -> tuple[list[Example], list[str]]:
    """Return (the examples in the feature file `content`, sentences about those that cannot be used).

    Raises `FeatureInvalid` if `content` is no feature file.
    """
    known = singles(feature)
    found: list[Example] = []
    problems: list[str] = []
    for each in singles(parse(content, path)):
        single = _of(each, known)
        if single is None:
            problems.append(
                f"“{each.scenario.name}” does not have the steps of any scenario, so it is no example of one."
            )
            continue
        scenario = single.scenario.model_copy(update={"steps": each.scenario.steps})
        text = render(single.having(scenario))
        found_as = each.scenario.model_copy(update={"name": single.scenario.name})
        steps = _steps(each.scenario.steps)
        example = Example(single.scenario.name, single.behaviour, steps, text, found_as)
        same = any(other.scenario.steps == each.scenario.steps for other in known)
        if not same and example not in found:
            found.append(example)
    return found, problems


def without(content: str, texts: Sequence[str]) -> str:
    """Return the feature file `content` without the examples whose steps are in `texts`; empty if none is
    left.
    """
    whole = parse(content, "the held-out examples")
    left = [each.scenario for each in singles(whole) if _steps(each.scenario.steps) not in texts]
    return render(whole.model_copy(update={"scenarios": tuple(left), "rules": ()})) if left else ""


def _of(example: Single, known: Sequence[Single]) -> Single | None:
    """Return the scenario with the same step texts, preferably one of the same name.

    Values that are neither numbers nor quoted cannot be told from the text around them; then the name
    decides.
    """
    fitting = [each for each in known if _shape(each.scenario.steps) == _shape(example.scenario.steps)]
    named = [each for each in fitting if each.scenario.name == example.scenario.name]
    kinds = [step.kind for step in example.scenario.steps]
    alike = [
        each
        for each in known
        if each.scenario.name == example.scenario.name
        and [step.kind for step in each.scenario.steps] == kinds
    ]
    return next(iter(named or fitting or alike), None)


def _shape(steps: Sequence[Step]) -> tuple[tuple[str, str, object], ...]:
    """Return what two examples of one behaviour have in common: kinds, texts without values, headings of
    tables.
    """
    return tuple(
        (step.kind, _VALUE.sub("…", " ".join(step.text.split())), step.table.headings if step.table else None)
        for step in steps
    )


def _steps(steps: Sequence[Step]) -> str:
    lines = []
    for step in steps:
        lines.append(f"{step.keyword} {step.text}")
        lines += [f"  {line}" for line in (step.doc_string or "").split("\n") if step.doc_string]
        for row in (step.table.headings, *step.table.rows) if step.table else ():
            lines.append(f"  | {' | '.join(row)} |")
    return "\n".join(lines)
