"""A backlog file: stories in order, each an issue that is read back as it was meant; each made once."""

from pathlib import Path

import pytest

from bot.forges.forge import Repo
from bot.forges.local.adapter import LocalForge
from bot.intake.backlog import BacklogInvalid, import_backlog, issue_body, read_backlog
from bot.storage.database import connect, migrate
from gherkin.issue.story import story_from_issue

TEXT = """\
stories:
  - id: later
    title: Vouchers
    priority: 2
    text: "Any ``` fence and <!-- scenarist:backlog:other --> of its own."
  - id: free-delivery
    title: Free delivery
    priority: 1
    narrative: As a customer, I want free delivery, so that I order more.
    acceptance_criteria: ["From 50 euros on, delivery is free."]
    scenarios:
      - {name: Just enough, given: 'a cart for 50.00 euros', when: I check out, then: delivery is free}
    domain_context: ["customer: who buys"]
    out_of_scope: [Express delivery]
    labels: [shop]
  - {id: also-later, title: Gift wrap, priority: 2}
"""


def test_stories_come_by_priority_and_are_read_back() -> None:
    stories = read_backlog(TEXT, "backlog.yaml")
    assert [story.id for story in stories] == ["free-delivery", "later", "also-later"]
    story = story_from_issue(7, stories[0].title, issue_body(stories[0]))
    assert story.acceptance_criteria == ("From 50 euros on, delivery is free.",)
    assert story.domain_context == ("customer: who buys",)
    assert story.out_of_scope == ("Express delivery",)
    assert story.narrative.startswith("As a customer")
    assert story.scenarios is not None
    assert [step.text for step in story.scenarios.scenarios[0].steps] == [
        "a cart for 50.00 euros",
        "I check out",
        "delivery is free",
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("stories: []", "should not be empty"),
        ("stories: [{id: a, title: b}, {id: a, title: c}]", "two stories are called a"),
        ("stories: [{id: 'a b', title: c}]", "line 1"),
        ("stories:\n- {id: a, title: b, titel: c}", "titel"),
        (
            "stories: [{id: a, title: c, scenarios: [{name: x, when: y}]}]",
            "story a: .*needs `when` and `then`",
        ),
    ],
)
def test_a_mistake_is_named(text: str, words: str) -> None:
    with pytest.raises(BacklogInvalid, match=words):
        read_backlog(text, "backlog.yaml")


def test_each_story_becomes_one_issue(tmp_path: Path) -> None:
    engine = connect(f"sqlite:///{tmp_path / 'forge.db'}")
    migrate(engine)
    forge = LocalForge(engine, tmp_path / "forge")
    forge.create_repo("o/r", {"ada": "admin"})
    repo = Repo(full_name="o/r")
    stories = read_backlog(TEXT, "backlog.yaml")
    assert [(number, new) for _, number, new in import_backlog(forge, repo, stories, [], dry_run=True)] == [
        (0, True)
    ] * 3
    first = import_backlog(forge, repo, stories[:1], ["backlog", "shop"], dry_run=False)
    again = import_backlog(forge, repo, stories, ["backlog"], dry_run=False)
    assert [new for _, _, new in again] == [False, True, True]
    assert again[0][1] == first[0][1]
    issue = forge.issue(repo, first[0][1])
    assert issue.title == "Free delivery" and issue.labels == ("backlog", "shop")
    assert [new for _, _, new in import_backlog(forge, repo, stories, [], dry_run=False)] == [False] * 3
