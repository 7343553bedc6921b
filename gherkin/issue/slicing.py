"""Divide a story that is too large into several smaller ones, the slices."""

from collections.abc import Sequence
from typing import Any

from gherkin.issue.story import Story
from gherkin.values import Frozen

_LONG_WORDS = 900
_MANY_CRITERIA = 10
# The number of criteria in one slice, if no model proposes the slices.
_TOGETHER = 5
_MOST = 8

SLICES_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "stories": {
            "type": "array",
            "minItems": 2,
            "maxItems": _MOST,
            "items": {
                "type": "object",
                "properties": {
                    "title": {"type": "string", "description": "At most twelve words."},
                    "narrative": {"type": "string", "description": "As a …, I want …, so that …"},
                    "acceptance_criteria": {"type": "array", "items": {"type": "string"}, "maxItems": 8},
                },
                "required": ["title", "narrative", "acceptance_criteria"],
                "additionalProperties": False,
            },
        }
    },
    "required": ["stories"],
    "additionalProperties": False,
}


class Slice(Frozen):
    """One of the stories into which a large one is divided."""

    title: str
    narrative: str = ""
    acceptance_criteria: tuple[str, ...] = ()


def size(story: Story, text: str) -> tuple[int, int]:
    """Return the numbers of words and of criteria of a story whose whole text is `text`."""
    return len(text.split()), len(story.acceptance_criteria)


def is_large(words: int, criteria: int) -> bool:
    """Return whether a story of this size is too large for one change that a person reviews."""
    return words > _LONG_WORDS or criteria > _MANY_CRITERIA


def slices_from(given: Any) -> list[Slice]:
    """Return the slices of a model's answer to `SLICES_SCHEMA`.

    Raises `ValueError` if fewer than two of them have a title of their own.
    """
    try:
        slices = [
            Slice(
                title=" ".join(str(each["title"]).split())[:200],
                narrative=str(each["narrative"]).strip(),
                acceptance_criteria=tuple(
                    " ".join(str(one).split()) for one in each["acceptance_criteria"] if str(one).strip()
                ),
            )
            for each in given["stories"][:_MOST]
        ]
    except (KeyError, TypeError):
        raise ValueError("the answer is not a list of stories") from None
    titles = [each.title.lower() for each in slices]
    if len(slices) < 2 or not all(titles) or len(set(titles)) < len(titles):
        raise ValueError("there are not two stories with titles of their own")
    return slices


def by_criteria(story: Story) -> list[Slice]:
    """Return slices with a few of the story's criteria each, in order; none if there are too few criteria."""
    criteria: Sequence[str] = story.acceptance_criteria
    parts = [criteria[at : at + _TOGETHER] for at in range(0, len(criteria), _TOGETHER)]
    if len(parts) < 2 or len(parts) > _MOST:
        return []
    return [
        Slice(
            title=f"{story.title} ({number} of {len(parts)})",
            narrative=story.narrative,
            acceptance_criteria=tuple(part),
        )
        for number, part in enumerate(parts, start=1)
    ]
