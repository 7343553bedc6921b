"""Issue -> Story, in the forms people write."""

import textwrap

import pytest

from gherkin.feature.model import Feature, render
from gherkin.issue.story import Story, StoryInvalid, is_empty, story_from_issue


def _story(body: str, *comments: str, title: str = "Add two numbers") -> Story:
    return story_from_issue(7, title, textwrap.dedent(body), [textwrap.dedent(each) for each in comments])


def _feature(story: Story) -> Feature:
    assert story.scenarios is not None
    return story.scenarios


def test_free_text() -> None:
    story = _story("Sums are missing.\n\nAs a clerk\nI want sums\nso that I can go home.\n\nThanks!\n")
    assert (story.id, story.title) == (7, "Add two numbers")
    assert story.narrative == "As a clerk I want sums so that I can go home."
    assert story.scenarios is None
    assert story.acceptance_criteria == ()
    assert story.text.startswith("Sums are missing.")


def test_a_narrative_in_bold_ends_where_the_list_begins() -> None:
    story = _story("**As a** clerk, **I want** sums **so that** I can go.\n- and this\n")
    assert story.narrative == "As a clerk, I want sums so that I can go."


def test_an_issue_form() -> None:
    story = _story(
        """\
        ### What is wrong?

        _No response_

        ### Acceptance criteria

        - [ ] Sums are right,
          also large ones
        - [x] Nothing else changes

        not this

        ### Out of scope

        Negative numbers

        ### Domain context

        _No response_
        """
    )
    assert story.acceptance_criteria == ("Sums are right, also large ones", "Nothing else changes")
    assert story.out_of_scope == ("Negative numbers",)
    assert story.domain_context == ()


def test_carriage_returns_of_a_browser() -> None:
    story = _story(
        "## Acceptance criteria\r\n\r\n1. one\r\n2) two\r\n\r\n```gherkin\r\nScenario: a\r\n  Given "
        "x\r\n```\r\n"
    )
    assert story.acceptance_criteria == ("one", "two")
    assert _feature(story).scenarios[0].steps[0].text == "x"


def test_a_whole_feature_is_taken_as_it_is() -> None:
    story = _story(
        """\
        Please:

        ```gherkin
        @money
        Feature: Sums
          Scenario: Add
            When I add 1
            Then I have 1
        ```
        """
    )
    assert render(_feature(story)) == (
        "@money @issue-7\nFeature: Sums\n\n  Scenario: Add\n    When I add 1\n    Then I have 1\n"
    )


def test_the_tag_is_not_set_twice() -> None:
    story = _story("```gherkin\n@issue-7\nFeature: Sums\nScenario: a\nGiven x\n```")
    assert _feature(story).tags == ("issue-7",)


def test_a_feature_in_another_language() -> None:
    story = _story("```gherkin\n# language: de\nFunktion: Summen\n  Szenario: a\n    Wenn x\n```")
    assert _feature(story).language == "de"


def test_bare_scenarios_of_several_blocks_are_one_feature_named_by_the_title() -> None:
    story = _story(
        """\
        ```gherkin
        Scenario: one
          Given x
        ```
        - and:
          ```gherkin
          @slow
          Scenario: two
            Given text:
              \"\"\"
              y
              \"\"\"
          ```
        """
    )
    feature = _feature(story)
    assert feature.name == "Add two numbers"
    assert [scenario.name for scenario in feature.scenarios] == ["one", "two"]
    assert feature.scenarios[1].tags == ("slow",)
    assert feature.scenarios[1].steps[0].doc_string == "y"


def test_a_comment_with_scenarios_wins() -> None:
    block = "```gherkin\nScenario: {}\n  Given x\n```"
    story = _story(block.format("old"), "I agree.", block.format("new"))
    assert [scenario.name for scenario in _feature(story).scenarios] == ["new"]


def test_what_stands_in_an_html_comment_does_not_count() -> None:
    story = _story(
        "Sums please.\n<!--\n## Acceptance criteria\n- hidden\n```gherkin\nScenario: hidden\n  Given "
        "x\n```\n-->\n"
    )
    assert story.scenarios is None
    assert story.acceptance_criteria == ()


YAML = """\
acceptance_criteria:
- Sums are right
domain_context: A clerk adds
out_of_scope: [ties]
scenarios:
  - name: Add
    given: it is 12:30
    when: [I add 1, And I add 2]
    then: "no"
  - when: I take 1
    then: [1.10]
"""


@pytest.mark.parametrize("body", [YAML, f"Hello!\n\n```yaml\n{YAML}```\n", f"# scenarios\n\n{YAML}"])
def test_yaml(body: str) -> None:
    story = story_from_issue(7, "Add two numbers", body)
    assert story.acceptance_criteria == ("Sums are right",)
    assert story.domain_context == ("A clerk adds",)
    assert story.out_of_scope == ("ties",)
    assert render(_feature(story)) == (
        "@issue-7\nFeature: Add two numbers\n\n"
        "  Scenario: Add\n    Given it is 12:30\n    When I add 1\n    And I add 2\n    Then no\n\n"
        "  Scenario: Scenario 2\n    When I take 1\n    Then 1.10\n"
    )


@pytest.mark.parametrize(
    "body",
    [
        "```yaml\nservices:\n  db: {image: x\n```\nmore words here",
        "Some prose first.\nscenarios: [a\n",
        "```python\nscenarios: [a\n```\nis not understood",
    ],
)
def test_yaml_that_is_about_something_else_is_left_alone(body: str) -> None:
    story = _story(body)
    assert story.scenarios is None
    assert not is_empty(story)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (
            "Hi\n\n```gherkin\nScenario: a\n  Given x\n```\n\n```gherkin\nScenario: b\n  Givn y\n```",
            "line 10: .*“Given”",
        ),
        ("Hi\n```gherkin\nFeature: a\nScenario: b\n  Given x\n  oops\n```", "line 6: “oops”"),
        (
            "```gherkin\nFeature: a\nScenario: b\nGiven x\n```\n```gherkin\nFeature: c\n```",
            "line 7: Multiple features",
        ),
        ("```gherkin\nFeature: a\n```", "the feature has no scenario"),
        ("Hi\n```yaml\nscenarios:\n- name: a\n  when: x: y\n```", "line 5: mapping values .* Quote"),
        (
            "```yml\nscenarios: a\n```",
            "line 2: `scenarios` must be a list, each with name, given, when and then",
        ),
        (
            "```yaml\nscenarios:\n- name: a\n  when: x\n  then: y\n- whn: x\n```",
            "line 6: scenario 2: `whn` is not one of",
        ),
        ("```yaml\nscenarios:\n- name: a\n  when: x\n```", "line 3: scenario 1 needs `when` and `then`"),
        ("```yaml\nscenarios:\n- a\n```", "line 3: scenario 1 must have name"),
        ("```yaml\nscenarios: [a]\nscenarios: [b, c]\n```", "line 3: scenario 1 must have name"),
        (
            "```yaml\nscenarios:\n- when: [{a: b}]\n  then: y\n```",
            "line 3: `when` must be a text or a list of texts",
        ),
        ("acceptance_criteria:\n  a: b\n", "line 2: `acceptance_criteria` must be"),
        ("```yaml\n- a\nscenarios: b\n```", "line 3: "),
        ('```yaml\n"\nscenarios: b"\n```', "line 2: this must be a mapping"),
        ("```yaml\nscenarios: " + "[" * 20_000, "line 2: this YAML is nested too deeply"),
        ("```yaml\nscenarios: &a [*a]\n```", "line 2: .*recursive"),
        ("```yaml\nscenarios: \x07\n```", "line 2: a character that YAML does not allow"),
    ],
)
def test_what_cannot_be_read_is_named_with_its_line(body: str, says: str) -> None:
    with pytest.raises(StoryInvalid, match=f"^SCN-2002: the issue: {says}"):
        story_from_issue(7, "Add two numbers", body)


def test_a_bad_comment_is_named() -> None:
    with pytest.raises(StoryInvalid, match="comment 2: line 4: “oops” is not a keyword"):
        _story("Sums please.", "fine", "```gherkin\nScenario: a\nGiven x\noops\n```")


@pytest.mark.parametrize("block", ["", "\n\n", "   ", "# Your scenarios here\n"])
def test_an_empty_gherkin_block_is_as_if_it_were_not_there(block: str) -> None:
    body = "Orders over 50 euros are free.\n\n```gherkin\n{}\n```\n"
    assert _story(body.format(block)).scenarios is None
    assert _story(body.format("Scenario: a\nWhen b\nThen 3")).scenarios is not None


def test_a_block_in_a_language_that_nothing_names_is_read_in_it() -> None:
    steps = "Szenario: Groß\n  Angenommen ein Korb\n  Wenn ich zahle\n  Dann kostet es 3 Euro\n"
    for head, name in ((f"Funktionalität: Versand\n{steps}", "Versand"), (steps, "Add two numbers")):
        found = _story(f"```gherkin\n{head}```").scenarios
        assert found is not None and (found.language, found.name) == ("de", name)
        assert render(found).startswith("# language: de\n")


def test_an_answer_by_comment_ends_the_emptiness() -> None:
    assert is_empty(_story("", title="Add CSV export"))
    assert not is_empty(_story("", "The orders, with date and total.", title="Add CSV export"))
    assert is_empty(_story("", "ok", title="Add CSV export"))


@pytest.mark.parametrize(
    ("title", "body", "empty"),
    [
        ("Fix it", "", True),
        ("Fix it", " \n\n", True),
        ("Fix it", "### What?\n\n_No response_\n\n### Why?\n\nNone\n", True),
        ("Fix it", "<!-- Please describe what you want -->", True),
        ("Fix it", "as said", True),
        ("Fix it", "Sums are wrong", False),
        ("Fix it", "```\nTraceback most recent\n```", False),
        ("Fix it", "### Acceptance criteria\n- sums\n", False),
        ("Fix it", "```gherkin\nScenario: a\nGiven x\n```", False),
        ("The sum of two numbers is wrong", "", False),
        ("The sum is wrong", "", True),
    ],
)
def test_empty_means_nothing_to_work_on(title: str, body: str, empty: bool) -> None:
    assert is_empty(_story(body, title=title)) is empty
