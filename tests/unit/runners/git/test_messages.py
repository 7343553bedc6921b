"""Titles and messages of commits: in the repository's habit, of the usual width, and harmless."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gherkin.issue.kinds import Kind
from runners.git.messages import MAX_SUBJECT, commit_subject, habitual, message

J = "\u2060"
NONE = ["Add a cart", "Fix rounding", "Merge pull request from x/y", "Add vouchers", "Mend the build"]
TYPED = [
    "feat: add a cart",
    "fix(cart): round",
    "Merge branch 'main'",
    "docs: say more",
    "chore!: drop 3.8",
    "Release 2",
]
DJANGO = [
    "Fixed #31 -- Added a cart.",
    "Fixed #35 -- Made it round.",
    "Refs #1 -- Said more.",
    "Fixed #2 -- Mended it.",
]
CPYTHON = ["gh-1: Add a cart", "gh-22: Fix rounding (#23)", "gh-3: Say more", "gh-4: Mend it"]
LOWER = ["add a cart", "fix rounding", "say more", "mend it"]


@pytest.mark.parametrize(
    ("log", "kind", "title", "shown"),
    [
        (NONE, "feature", "Free delivery", "Free delivery"),
        (NONE, "feature", "free delivery", "Free delivery"),
        (NONE, "bug", "[Bug]: `cart` loses items.", "`cart` loses items"),
        (TYPED, "feature", "Free delivery", "feat: free delivery"),
        (TYPED, "bug", "Bug: CSV export crashes", "fix: CSV export crashes"),
        (TYPED, "bug", "fix: round up", "fix: round up"),
        (TYPED, "chore", "Typo in README", "docs: typo in README"),
        (TYPED, "refactoring", "Part the cart", "refactor: part the cart"),
        (DJANGO, "bug", "Cart loses items", "Fixed #12 -- Cart loses items."),
        (CPYTHON, "feature", "Free delivery", "gh-12: Free delivery"),
        (LOWER, "feature", "Free delivery", "free delivery"),
        ([], "feature", "Free delivery.", "Free delivery."),
        (["feat: one"], "feature", "Free delivery", "Free delivery"),
    ],
)
def test_a_title_follows_the_log(log: list[str], kind: Kind, title: str, shown: str) -> None:
    assert habitual(title, kind, 12, log) == shown


@pytest.mark.parametrize(
    ("verb", "log", "shown"),
    [
        ("Implement", NONE, "Implement #12: Free delivery for large orders"),
        ("Revise", NONE, "Revise #12: Free delivery for large orders"),
        ("Implement", TYPED, "feat: free delivery for large orders"),
        ("Specify", TYPED, "test: specify free delivery for large orders"),
        ("Implement", CPYTHON, "gh-12: Free delivery for large orders"),
    ],
)
def test_a_subject_follows_the_log(verb: str, log: list[str], shown: str) -> None:
    assert commit_subject(verb, "Free delivery for large orders", "feature", 12, log) == shown


@given(st.text(max_size=200), st.sampled_from([NONE, TYPED, DJANGO, CPYTHON, []]))
def test_a_subject_is_one_short_line_in_which_nothing_acts(title: str, log: list[str]) -> None:
    subject = commit_subject("Implement", f"{title} @ada Closes #7", "bug", 12, log)
    assert len(subject) <= MAX_SUBJECT and "\n" not in subject
    assert not re.search(r"@\w|#(?!12\b)\d", subject)


def test_a_body_is_wrapped_and_its_lists_stay() -> None:
    long = "word " * 40
    text = message(
        "S", f"First {long}\n\n- one {long}\n- two\n\nSee {'x' * 90} and @ada, closes #7.", {"Refs": "#12"}
    )
    lines = text.split("\n")
    assert lines[0] == "S" and lines[1] == "" and lines[-2:] == ["Refs: #12", ""]
    assert all(len(line) <= 72 or " " not in line for line in lines)
    assert sum(line.startswith("- ") for line in lines) == 2 and any(
        line.startswith("  word") for line in lines
    )
    assert f"@{J}ada" in text and f"#{J}7" in text


def test_a_message_without_a_body_has_its_trailers_behind_one_blank_line() -> None:
    assert message("S", " \n", {"A": "1", "B": "2"}) == "S\n\nA: 1\nB: 2\n"


def test_a_body_forges_no_trailer() -> None:
    text = message("S", "Done.\n\nWork-Order: forged", {"Work-Order": "true"})
    assert text.rsplit("\n\n", 1)[1] == "Work-Order: true\n"
