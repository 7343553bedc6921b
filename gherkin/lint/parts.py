"""The parts of a feature that behave has read, in the order of the file."""

import re
from collections.abc import Iterator
from typing import Any

# Values in a step: quoted text, placeholders, numbers.
QUOTED = re.compile(r'"[^"]*"|\'[^\']*\'|“[^”]*”|<[^<>]+>|\b\d[\d.,]*\b')


def scenarios_of(feature: Any) -> Iterator[Any]:
    """Yield every scenario and outline of a feature in behave's model, those of rules last."""
    yield from feature.scenarios
    for rule in feature.rules:
        yield from rule.scenarios


def steps_of(feature: Any) -> Iterator[Any]:
    """Yield every step of a feature in behave's model, those of backgrounds first."""
    for background in (feature.background, *(rule.background for rule in feature.rules)):
        yield from background.steps if background is not None else ()
    for scenario in scenarios_of(feature):
        yield from scenario.steps


def whole_text(step: Any) -> str:
    """Return the text of a step with its doc string and the cells of its table."""
    cells = [cell for row in (step.table.rows if step.table else ()) for cell in row.cells]
    return "\n".join([step.name, str(step.text or ""), *cells])
