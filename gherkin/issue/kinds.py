"""The kind of work that an issue asks for. Each kind is proven in its own way.

* feature, bug: scenarios that are red before the change and green after it;
* refactoring: scenarios that are green before and after it, with the existing tests untouched;
* chore: no scenario, and a change of documentation alone.
"""

import re
from collections.abc import Sequence
from typing import Literal, get_args

Kind = Literal["feature", "bug", "refactoring", "chore"]

_LABELS: dict[str, Kind] = {
    "bug": "bug",
    "defect": "bug",
    "regression": "bug",
    "enhancement": "feature",
    "feature": "feature",
    "refactor": "refactoring",
    "refactoring": "refactoring",
    "chore": "chore",
    "docs": "chore",
    "documentation": "chore",
}
# The types of https://www.conventionalcommits.org, which people write before titles.
_PREFIXES: dict[str, Kind] = {
    "feat": "feature",
    "feature": "feature",
    "fix": "bug",
    "bug": "bug",
    "refactor": "refactoring",
    "refactoring": "refactoring",
    "docs": "chore",
    "chore": "chore",
}
_PREFIX = re.compile(r"^\s*\[?([A-Za-z]{3,12})\]?(?:\([^)]*\))?!?\s*[:\]]")
_LABEL_LEAD = re.compile(r"^(?:kind|type|t|c)\s*[:/-]\s*", re.IGNORECASE)
_CHORE = re.compile(
    r"^(?:fix |correct )?(?:a |the |some )?(?:typos?|spelling)\b"
    r"|^(?:update|correct|extend|improve) the (?:readme|changelog|documentation|docs)\b",
    re.IGNORECASE,
)
_REFACTORING = re.compile(
    r"^\W*(?:please )?refactor(?:ing)?\b|\bwithout chang(?:ing|es? (?:in|of)) (?:the )?behaviou?r\b",
    re.IGNORECASE,
)
_BUG = re.compile(
    r"\b(?:steps to reproduce|actual (?:behaviou?r|result)|traceback \(most recent call last\)"
    r"|crash(?:es|ed)?|throws? an? (?:error|exception)|regression)\b",
    re.IGNORECASE,
)
_TOLD = re.compile(r"^\s*/agent\s+kind\s+([a-z]+)\s*$", re.MULTILINE)


def told_kind(comments: Sequence[str]) -> Kind | None:
    """Return the kind that the newest ``/agent kind …`` in the comments names, or None."""
    kinds: tuple[Kind, ...] = get_args(Kind)
    for comment in reversed(comments):
        for word in reversed(_TOLD.findall(comment)):
            if word in kinds:
                return kinds[kinds.index(word)]
    return None


def kind_of(title: str, body: str, labels: Sequence[str] = ()) -> Kind:
    """Return the kind of an issue by its labels, its title's prefix or its words; a feature if unclear."""
    for label in labels:
        named = _LABELS.get(_LABEL_LEAD.sub("", label.strip()).lower())
        if named is not None:
            return named
    prefix = _PREFIX.match(title)
    if prefix and prefix[1].lower() in _PREFIXES:
        return _PREFIXES[prefix[1].lower()]
    if _CHORE.search(title.strip()):
        return "chore"
    if _REFACTORING.search(title):
        return "refactoring"
    return "bug" if _BUG.search(f"{title}\n{body}") else "feature"
