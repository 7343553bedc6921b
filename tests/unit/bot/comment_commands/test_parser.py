"""Commands as people write them, and what is none."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.comment_commands.parser import (
    COMMAND_NAMES,
    COMMANDS,
    CommentCommand,
    apart,
    mentions,
    nearest,
    parse,
)
from bot.comment_commands.rights import is_allowed, needed

BOT = "scenarist[bot]"


@pytest.mark.parametrize(
    ("comment", "expected"),
    [
        ("/agent pause", [("pause", "")]),
        ("  /agent  Retry implement ", [("retry", "implement")]),
        ("Hello!\r\n/agent revise Do\r\n```py\r\nx\r\n```\r\nthis", [("revise", "Do\n```py\nx\n```\nthis")]),
        ("@scenarist status", [("status", "")]),
        ("@Scenarist[bot], budget 30\n/agent retry", [("budget", "30"), ("retry", "")]),
        ("@scenarist approve, please!\n```gherkin\nx\n```", [("approve", ", please!\n```gherkin\nx\n```")]),
        ("@scenarist aprove", [("aprove", "")]),
        ("/agent cancel that idea", [("cancel", "that idea")]),
        ("/agent", [("help", "")]),
        ("/agent frobnicate it", [("frobnicate", "it")]),
    ],
)
def test_a_command_begins_a_line(comment: str, expected: list[tuple[str, str]]) -> None:
    assert parse(comment, BOT) == tuple(CommentCommand(name=name, argument=text) for name, text in expected)


@pytest.mark.parametrize(
    "comment",
    [
        "> /agent cancel",
        "```\n/agent cancel\n```",
        "~~~\n/agent cancel",
        "    /agent cancel",
        "\t/agent cancel",
        "<!-- /agent cancel -->",
        "<!--\n/agent cancel\n-->",
        "`/agent cancel`",
        "Please /agent cancel",
        "/agents cancel",
        "/agent/cancel",
        "/agent: cancel",
        "@scenarist thank you",
        "@scenarist cancel the second scenario, please.",
        "@scenarist split this function in two",
        "@scenarist approve all but the last one",
        "@scenarist aprove that",
        "@scenarist-fan status",
        "mail@scenarist status",
        "",
    ],
)
def test_these_are_no_commands(comment: str) -> None:
    assert parse(comment, BOT) == ()


def test_without_a_name_nothing_is_a_mention() -> None:
    assert parse("@ status\n@scenarist status") == ()


@given(st.text(alphabet="/agent >`~\n\t<!-pause@scenarist", max_size=200))
def test_whatever_is_quoted_or_in_code_is_no_command(text: str) -> None:
    quoted = "\n".join(f"> {line}" for line in text.splitlines())
    assert parse(quoted, BOT) == ()
    indented = "\n".join(f"    {line}" for line in text.splitlines())
    assert all(each.argument != "" or each.name for each in parse(indented, BOT))
    for command in parse(text, BOT):
        assert command.name in text.lower() or command.name == "help"


@pytest.mark.parametrize(
    ("text", "remark", "commands"),
    [
        ("Call it value.", "Call it value.", []),
        ("/agent cancel", "", ["cancel"]),
        ("Call it value.\n\n/agent budget 90\n@scenarist status", "Call it value.", ["budget", "status"]),
        ("/agent revise Call it value.", "Call it value.", []),
        ("Nearly.\r\n/agent pause\r\n/agent revise Call it\r\nvalue.", "Nearly.\nCall it\nvalue.", ["pause"]),
        ("> /agent cancel\n\nWhy?", "> /agent cancel\n\nWhy?", []),
        ("", "", []),
    ],
)
def test_what_a_review_says_is_told_apart_from_its_commands(
    text: str, remark: str, commands: list[str]
) -> None:
    said, found = apart(text, "scenarist[bot]")
    assert (said, [each.name for each in found]) == (remark, commands)


@pytest.mark.parametrize(("name", "near"), [("canel", "cancel"), ("retyr", "retry"), ("xyz", None)])
def test_the_nearest_command_is_found(name: str, near: str | None) -> None:
    assert nearest(name) == near


def test_a_mention_counts_outside_of_code_and_quotes() -> None:
    assert mentions("Could @scenarist look at this?", BOT)
    for text in ("`@scenarist`", "> @scenarist", "me@scenarist.example", "@scenarist-x"):
        assert not mentions(text, BOT)


def test_every_command_is_explained_and_documented() -> None:
    assert set(COMMANDS) == set(COMMAND_NAMES)
    page = (Path(__file__).parents[4] / "docs" / "commands.md").read_text()
    assert all(f"`/agent {name}" in page for name in COMMAND_NAMES)


@pytest.mark.parametrize(
    ("who", "permission", "author", "team", "allowed"),
    [
        ((), "admin", True, True, False),
        (("write",), "write", False, False, True),
        (("write",), "admin", False, False, True),
        (("write",), "read", True, True, False),
        (("maintain",), "write", False, False, False),
        (("author",), "none", True, False, True),
        (("author",), "admin", False, False, False),
        (("team:leads",), "none", False, True, True),
        (("team:leads", "admin"), "maintain", False, False, False),
    ],
)
def test_rights(who: tuple[str, ...], permission: str, author: bool, team: bool, allowed: bool) -> None:
    found = is_allowed(
        "cancel",
        {"cancel": who},
        permission=permission,
        is_author=lambda: author,
        in_team=lambda name: team and name == "leads",
    )
    assert found is allowed


def test_who_may_is_said_in_words() -> None:
    assert needed("cancel", {}) == "people with write access"
    assert (
        needed("cancel", {"cancel": ("admin", "team:leads")}) == "people with admin access or the team leads"
    )
