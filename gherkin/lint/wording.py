"""Findings on the words of a step: vague outcomes, two actions, the screen, the code, avoided terms."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from gherkin.domain.language import Domain
from gherkin.feature.steps import StepDefinition
from gherkin.lint.findings import Finding, finding
from gherkin.lint.parts import QUOTED

_VAGUE = re.compile(
    r"\b(works?|behaves?|functions?|is (?:handled|processed|done|displayed|shown|updated))\s+"
    r"(?:correctly|properly|as expected|fine|well|successfully)\b"
    r"|\bas expected\b|\b(?:everything|it|all) (?:works|is (?:ok|okay|fine|good|correct))\b"
    r"|\b(?:is|are|looks?|stays?|be) (?:all )?(?:correct|right|ok|okay|fine|good|proper|sane|sensible)\.?$"
    r"|\b(?:should|must) work$|^(?:it )?(?:succeeds|works)$",
    re.IGNORECASE,
)
_UI = re.compile(
    r"\b(clicks?|taps?|double-clicks?|presse?s? the|scrolls?|hovers?|drags?|drop-?down|checkbox|radio button"
    r"|text ?box|input field|submit button|the \w+ button|css|xpath)\b",
    re.IGNORECASE,
)


# Words about code that may also be words of the domain: a parser of SQL has features about SQL.
_CODE = re.compile(
    r"\b(database|sql|table row|json|http (?:status )?\d{3}|status code|endpoint|api call|function|method"
    r"|class|module|exception|null|boolean|stack ?trace|variable|dict(?:ionary)?|instance|callbacks?"
    r"|recursi(?:on|ve|vely)|iterators?)\b",
    re.IGNORECASE,
)


# Identifiers of the code, and descriptions of how the code works.
_INTERNALS = re.compile(
    r"\b\w+\.\w+\(|\b\w+\(\)|\b[a-z]+_[a-z_]+\(|\b[a-z][a-z0-9]*(?:_[a-z0-9]+)+\b|\b[a-z]{3,}[A-Z][a-z]\w*\b"
    r"|\b(?i:(?:while|for|inner|outer|main)[ -]loops?|the loop (?:pops|pushes|runs|ends|appends|breaks)"
    r"|pops (?!up\b)|iterates? (?:over|through))",
)
_AND = re.compile(
    r"\b(?:and|und)\b\s+(?:then\s+|also\s+)?(?:I|he|she|it|they|the \w+|we|a \w+|an \w+)\s+\w+", re.IGNORECASE
)


def domain_words(
    feature: Any, definitions: Sequence[StepDefinition], domain: Domain, criteria: Sequence[str]
) -> str:
    """Return the text of the project's own words: terms, steps, criteria, and the feature's head."""
    narrative = [feature.name, *(feature.description or ())]
    terms = [word for term in domain.terms for word in (term.term, term.meaning)]
    return "\n".join([*narrative, *terms, *criteria, *(each.pattern for each in definitions)]).lower()


def _code_word(text: str, words: str) -> str:
    """Return the first word about code in a step's text that is not in `words`; empty if there is none."""
    internal = _INTERNALS.search(text)
    if internal and not re.search(rf"\b{re.escape(internal[0].lower())}", words):
        return internal[0].strip()
    for found in _CODE.finditer(text):
        if not re.search(rf"\b{re.escape(found[0].lower())}", words):
            return found[0]
    return ""


def step_findings(step: Any, domain: Domain, words: str) -> Iterator[Finding]:
    bare = QUOTED.sub("…", step.name)
    if step.step_type == "then" and (vague := _VAGUE.search(bare)):
        yield finding(
            "vague-outcome", step.line, f"“{vague[0]}” can not be checked: say what is seen, with its value."
        )
    if joined := _AND.search(bare):
        yield finding(
            "conjunction-step", step.line, f"Two things in one step (“{joined[0]}”): make two steps of it."
        )
    if ui := _UI.search(bare):
        yield finding("ui-words", step.line, f"“{ui[0]}” is about the screen: say what the user wants.")
    if code := _code_word(bare, words):
        yield finding(
            "implementation-words", step.line, f"“{code}” is about the code: say what can be observed."
        )
    for term in domain.terms:
        for word in term.avoid:
            if re.search(rf"\b{re.escape(word)}s?\b", bare, re.IGNORECASE):
                yield finding(
                    "avoided-term", step.line, f"The domain language says “{term.term}”, not “{word}”."
                )
