"""Cutting large stories, and what counts as an answer."""

from typing import Any

import pytest

from gherkin.issue.kinds import told_kind
from gherkin.issue.slicing import by_criteria, is_large, slices_from
from gherkin.issue.story import Story


def test_a_story_is_large_by_its_words_or_its_criteria() -> None:
    assert is_large(901, 0) and is_large(10, 11) and not is_large(900, 10)


@pytest.mark.parametrize(
    "given",
    [
        None,
        [],
        {},
        {"stories": "two"},
        {"stories": [{"title": "One", "narrative": "", "acceptance_criteria": []}]},
        {"stories": [{"title": "One", "narrative": "", "acceptance_criteria": []}] * 2},
        {"stories": [{"title": name, "narrative": "", "acceptance_criteria": []} for name in ("A", " ")]},
        {"stories": [{"title": "A", "narrative": ""}, {"title": "B", "narrative": ""}]},
        {"stories": [{"title": name, "narrative": "", "acceptance_criteria": 3} for name in "AB"]},
    ],
)
def test_an_answer_that_is_no_split_is_refused(given: Any) -> None:
    with pytest.raises(ValueError, match="stories"):
        slices_from(given)


def test_criteria_are_cut_in_their_order_and_none_is_lost() -> None:
    story = Story(id=1, title="All", acceptance_criteria=tuple(f"c{at}" for at in range(13)))
    slices = by_criteria(story)
    assert [one for each in slices for one in each.acceptance_criteria] == list(story.acceptance_criteria)
    assert len({each.title for each in slices}) == 3
    assert by_criteria(Story(id=1, title="Little", acceptance_criteria=("a",))) == []


@pytest.mark.parametrize(
    ("comments", "kind"),
    [
        ([], None),
        (["It is a bug."], None),
        (["/agent kind bug"], "bug"),
        (["/agent kind bug", "Hello", "/agent kind chore"], "chore"),
        (["/agent kind party"], None),
        (["> /agent kind bug"], None),
        (["/agent  kind   refactoring  \nas it changes nothing"], "refactoring"),
    ],
)
def test_the_newest_command_names_the_kind(comments: list[str], kind: str | None) -> None:
    assert told_kind(comments) == kind
