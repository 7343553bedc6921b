"""Which scenarios belong to which acceptance criteria."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from gherkin.lint.findings import Finding, finding
from gherkin.lint.parts import scenarios_of, whole_text

_WORD = re.compile(r"[^\W_]{3,}")
_STOP = frozenset(
    [
        "the",
        "and",
        "for",
        "with",
        "that",
        "this",
        "from",
        "are",
        "was",
        "were",
        "has",
        "have",
        "had",
        "when",
        "then",
        "given",
        "user",
        "users",
        "can",
        "could",
        "should",
        "must",
        "will",
        "would",
        "not",
        "all",
        "any",
        "its",
        "their",
        "there",
        "here",
        "into",
        "onto",
        "than",
        "them",
        "they",
        "you",
        "your",
        "our",
        "out",
        "off",
        "over",
        "under",
    ]
)
_TRACED = 0.4


def traces(feature: Any, criteria: Sequence[str]) -> Iterator[Finding]:
    """Yield findings on criteria without a scenario and scenarios without a criterion.

    They belong together if they share enough words, or if the scenario has the tag `@ac-N`.
    """
    if not criteria:
        return
    scenarios = [
        (each, _stems(" ".join([each.name, *(whole_text(step) for step in each.steps)])))
        for each in scenarios_of(feature)
    ]
    traced: set[int] = set()
    for scenario, words in scenarios:
        tagged = {int(tag[3:]) for tag in map(str, scenario.tags) if re.fullmatch(r"ac-\d{1,3}", tag)}
        mine = {
            number
            for number, text in enumerate(criteria, 1)
            if number in tagged or _speaks_of(words, _stems(text))
        }
        traced |= mine
        if not mine:
            yield finding(
                "scenario-without-criterion",
                scenario.line,
                f"No acceptance criterion speaks of “{scenario.name}”.",
            )
    for number, text in enumerate(criteria, 1):
        if number not in traced:
            yield finding(
                "criterion-without-scenario", 0, f"No scenario speaks of criterion {number}: “{text}”."
            )


def _stems(text: str) -> set[str]:
    words = {word.lower() for word in _WORD.findall(text)} - _STOP
    return {word[:5] for word in words} | set(re.findall(r"\d+(?:[.,]\d+)?", text))


def _speaks_of(words: set[str], criterion: set[str]) -> bool:
    return bool(criterion) and len(words & criterion) >= _TRACED * len(criterion)
