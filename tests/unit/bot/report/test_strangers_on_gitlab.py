"""What forges act on in the words alone: quick actions at the start of a line, closing words, words that keep
the CI from running. Also in titles, commit messages and new issues."""

import pytest
from hypothesis import given, settings

from bot.forges.gitlab.payloads import titled
from bot.intake.backlog import issue_body
from bot.intake.slices import story_of
from bot.report.escape import block, code, inline, prose, sentence
from gherkin.issue.slicing import Slice
from gherkin.issue.story import story_from_issue
from runners.git.messages import commit_subject, habitual, message
from tests.support import gfm
from tests.support.strangers import ON_GITLAB, acted


@settings(max_examples=60)
@given(ON_GITLAB)
def test_nothing_that_is_escaped_acts_on_gitlab(text: str) -> None:
    for shown in (inline(text), code(text), sentence(text), prose(text), block(text)):
        assert acted(shown) == []


@settings(max_examples=60)
@given(ON_GITLAB)
def test_titles_and_commit_messages_close_and_skip_nothing(text: str) -> None:
    log = ["fix: a", "feat: b", "docs: c", "chore: d", "fix: e"]
    titles = [titled(habitual(text, "bug", 12, subjects), draft=False) for subjects in ((), log)]
    subjects = [commit_subject(verb, text, "bug", 12, log) for verb in ("Implement", "Repair")]
    said = message(subjects[0], text, {"Refs": "#12"})
    shown = [said, *(each.removeprefix("fix: ") for each in (*titles, *subjects))]
    # Nobody looks for quick actions there.
    assert [act for each in shown for act in acted(each) if not act.startswith("/")] == []
    assert not any(each.lower().lstrip().startswith(("draft:", "[draft]", "(draft)")) for each in titles)


@settings(max_examples=60)
@given(ON_GITLAB)
def test_the_issue_of_a_proposed_story_acts_on_nothing(text: str) -> None:
    body = issue_body(story_of(12, 1, Slice(title="T", narrative=text, acceptance_criteria=(text, "b"))))
    assert acted(body) == [] and body.count("<!--") == 1
    shapes = {line.strip().partition(" ")[0] for line in gfm.outline(body)}
    assert shapes <= {
        *("html_block", "paragraph_open", "heading_open", "bullet_list_open", "list_item_open", "text"),
    }, gfm.outline(body)
    assert not any(word in line for line in gfm.outline(body) for word in ("image", "link", "html_inline"))


def test_the_issue_of_a_proposed_story_keeps_its_values() -> None:
    given_text = "As a user, I want WELCOME_5 to take 5-10 % off, so that a < b."
    story = Slice(title="T", narrative=given_text, acceptance_criteria=("A cart of 4.90 gives *x*_y",))
    read = story_from_issue(1, "T", issue_body(story_of(12, 1, story)))
    assert read.narrative.startswith("As a user, I want WELCOME_5 to take 5-10 % off")
    assert read.acceptance_criteria == ("A cart of 4.90 gives *x*_y",)


@pytest.mark.parametrize(
    ("title", "draft", "shown"),
    [
        ("Add it", False, "Add it"),
        ("Add it", True, "Draft: Add it"),
        ("Draft: add it", False, "add it"),
        ("Draft: Add it", True, "Draft: Add it"),
        ("[Draft] (draft) DRAFT:add it", False, "add it"),
        ("Draft: ", False, "Untitled"),
        ("Drafting: it", False, "Drafting: it"),
    ],
)
def test_a_title_makes_no_draft(title: str, draft: bool, shown: str) -> None:
    assert titled(title, draft=draft) == shown


@pytest.mark.parametrize(
    "text", ["/close", "x\n/approve", "Closes #3", "Fix ABC-12", "fixed a/b#1", "x [skip ci]", "[CI skip]"]
)
def test_the_signs_do_act_without_the_guard(text: str) -> None:
    assert acted(text)
