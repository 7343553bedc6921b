"""The kind of an issue: by label, by prefix, by words; a feature when in doubt."""

import pytest

from gherkin.issue.kinds import Kind, kind_of


@pytest.mark.parametrize(
    ("title", "body", "labels", "kind"),
    [
        ("Double numbers", "4 becomes 8", (), "feature"),
        ("Double numbers", "", ("bug",), "bug"),
        ("Double numbers", "", ("kind: refactoring",), "refactoring"),
        ("Double numbers", "", ("type/docs",), "chore"),
        ("fix: rounding", "", (), "bug"),
        ("fix: rounding", "", ("enhancement",), "feature"),
        ("docs(api): explain rounding", "", (), "chore"),
        ("[Bug] rounding", "", (), "bug"),
        ("refactor!: split the module", "", (), "refactoring"),
        ("Refactor the parser", "", (), "refactoring"),
        ("Split the parser without changing behaviour", "", (), "refactoring"),
        ("Rounding", "### Steps to reproduce\nround(0.5)", (), "bug"),
        ("Rounding", "It crashes with 0.5", (), "bug"),
        ("Fix a typo in the README", "", (), "chore"),
        ("Update the documentation of rounding", "", (), "chore"),
        ("Typography of receipts", "", (), "feature"),
        ("Document store: delete by key", "", (), "feature"),
        ("A page about refactoring tools should be shown", "", ("good first issue",), "feature"),
        ("Note: doubling", "", (), "feature"),
    ],
)
def test_kind_of_an_issue(title: str, body: str, labels: tuple[str, ...], kind: Kind) -> None:
    assert kind_of(title, body, labels) == kind
