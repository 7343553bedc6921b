"""Steps without a definition that say nearly what an existing definition says."""

import difflib
import re
from collections.abc import Iterator, Sequence
from typing import Any

from gherkin.feature.model import parse
from gherkin.feature.steps import StepDefinition, undefined_steps
from gherkin.lint.findings import Finding, finding
from gherkin.lint.parts import QUOTED, steps_of

_PARAMETER = re.compile(r"\{[^{}]*\}")
_FILLERS = frozenset(
    [
        "a",
        "an",
        "the",
        "with",
        "containing",
        "contains",
        "holding",
        "holds",
        "having",
        "has",
        "have",
        "including",
        "that",
        "which",
        "who",
        "of",
        "in",
        "on",
        "at",
        "for",
        "to",
        "from",
        "by",
        "my",
        "his",
        "her",
        "their",
        "is",
        "are",
        "was",
        "there",
        "be",
        "i",
    ]
)
_CLOSE = 0.86


def undefined(text: str, definitions: Sequence[StepDefinition], language: str | None) -> set[tuple[str, str]]:
    """Return (kind, text) of the steps for which behave would find no definition."""
    if not definitions:
        return set()
    return {(step.kind, step.text) for step in undefined_steps(parse(text, "", language), definitions)}


def near_duplicates(
    feature: Any, undefined: set[tuple[str, str]], definitions: Sequence[StepDefinition]
) -> Iterator[Finding]:
    """Yield findings on steps without a definition that nearly match an existing one."""
    known = [(_shape(each.pattern), each) for each in definitions]
    seen: set[tuple[str, str]] = set()
    for step in steps_of(feature):
        if (step.step_type, step.name) not in undefined:
            continue
        shape = _shape(step.name)
        mine = [(other, each) for other, each in known if each.kind in (step.step_type, "step")]
        if (step.step_type, shape) in seen:
            continue
        seen.add((step.step_type, shape))
        scored = [(_likeness(shape, other), each) for other, each in mine]
        best, near = max(scored, key=lambda pair: pair[0], default=(0.0, None))
        if near is not None and best >= _CLOSE:
            yield finding(
                "near-duplicate-step",
                step.line,
                f"“{step.name}” is nearly “{near.pattern}” ({near.path}:{near.line}): use that step's words.",
            )


def _shape(text: str) -> str:
    """Return the words of a step or pattern without values and parameters."""
    text = _PARAMETER.sub("…", text)
    text = QUOTED.sub("…", text)
    return " ".join(re.sub(r"[\"'“”]", "", text).lower().split())


def _likeness(shape: str, other: str) -> float:
    """Return the similarity of two shapes from 0 to 1; 1 if they differ only in words without a meaning."""
    words, others = (
        sorted(word[:6] for word in each.split() if word not in _FILLERS) for each in (shape, other)
    )
    return 1.0 if words == others and len(words) > 1 else difflib.SequenceMatcher(None, shape, other).ratio()
