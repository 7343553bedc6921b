"""Strangers' text in comments: it shows, and does nothing."""

import re

import pytest
from hypothesis import given

from bot.report.escape import block, code, html_text, inline, prose, sentence
from tests.support import gfm
from tests.support.strangers import EVIL, acts

J = "\u2060"  # keeps forges from acting on what follows a mark


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("@everyone, a@b.c", f"@{J}everyone, a@{J}b.c"),
        ("<img src=x>", "&lt;img src=x\\>"),
        ("![x](http://e/x.png)", f"\\!\\[x\\]\\(http:{J}//e/x.png\\)"),
        ("a | b", "a \\| b"),
        ("Closes #4, o/r#4 and gh-5", f"Clos{J}es \\#{J}4, o/r\\#{J}4 and gh\\-{J}5"),
        ("two\nlines", "two lines"),
        ("\x1b[31mred\x1b[0m", "\\[31mred\\[0m"),
        ("-->", "\\-\\-\\>"),
        ("&#64;x", f"&amp;\\#{J}64;x"),
        ("/close", "\\/close"),
        ("===", "\\==="),
        ("1. first", "1\\. first"),
        ("$x$", "\\$x\\$"),
        ("www.example.com", f"w{J}ww.example.com"),
    ],
)
def test_inline(text: str, shown: str) -> None:
    assert inline(text) == shown


def test_inline_is_bounded() -> None:
    assert len(inline("x" * 1000)) == 300


@pytest.mark.parametrize(
    "text", ["a/b.py", "tests/test_x.py::test_y[a|b]", "odd `name`", "back\\slash", "new\nline"]
)
def test_code_shows_a_name_as_it_is_also_in_a_cell(text: str) -> None:
    flat = " ".join(text.split())
    assert gfm.table_rows(f"| {code(text)} |\n|---|\n| {code(text)} |") == [[flat], [flat]]
    assert code("") == ""


def test_html_text_is_for_places_without_markdown() -> None:
    assert html_text("a_b <i> & @x\n") == f"a_b &lt;i&gt; &amp; @{J}x"


@pytest.mark.parametrize(
    ("text", "inside"),
    [
        ("Adds `checkout(cart)` and ``a ` b``.", ["checkout(cart)"]),
        ("An ` alone", []),
        ("`a` `b`", ["a", "b"]),
        ("no code", []),
    ],
)
def test_a_sentence_keeps_its_inline_code(text: str, inside: list[str]) -> None:
    assert gfm.codes(sentence(text)) == inside
    assert gfm.words(sentence(text)).replace("`", "") == text.replace("`", "")


@pytest.mark.parametrize(
    "text", ["```\nfree", "````` five", "plain", "a\r\n```\r\nb", "```\n/close\n```\n/close"]
)
def test_a_block_cannot_be_ended_from_inside(text: str) -> None:
    shown = block(text)
    fence = shown[: len(shown) - len(shown.lstrip("`"))]
    assert len(fence) >= 3
    assert shown.endswith(f"\n{fence}")
    assert fence not in shown[len(fence) : -len(fence)]
    assert not re.search(r"^/\w", shown, re.MULTILINE)


def test_what_closes_issues_is_broken_up_in_a_block_too() -> None:
    assert f"Clos{J}es: #4" in block("Closes: #4") and f"fix{J}ed o/r#4" in block("fixed o/r#4")
    assert "Closes the shop" in block("Closes the shop")


def test_a_long_block_loses_its_middle() -> None:
    shown = block("a" * 5000 + "b" * 5000)
    assert "characters left out" in shown and len(shown) < 6200


def test_prose_keeps_paragraphs_and_lists() -> None:
    assert prose("one\n\n# two @x") == f"one\n\n\\# two @{J}x"
    text = "Adds:\n- `a`\n  and more\n* b\n  - c\nThen this.\n1. one\n2) two"
    assert gfm.items(prose(text)) == ["a and more", "b", "c", "one", "two"]
    assert gfm.codes(prose(text)) == ["a"]
    assert [line.strip() for line in gfm.outline(prose(text))].count("list_item_open li") == 5


# What Markdown, HTML and the forges act on, mixed with other text.
# Everything that a text of a stranger may become: its own paragraphs, lists and inline code.
_OWN = re.compile(
    r" *(?:paragraph_open p|bullet_list_open ul|ordered_list_open ol|list_item_open li|text(?: "
    r"code_inline| html_inline)*)"
)


@given(EVIL)
def test_nothing_that_is_escaped_acts(text: str) -> None:
    for shown in (inline(text), code(text), sentence(text), prose(text)):
        assert acts(shown) == []


@given(EVIL)
def test_the_guard_is_needed_and_the_outline_stays(text: str) -> None:
    """In a line, a list or a cell, a stranger's text is text: the structure around it is that of a harmless
    word."""
    for made in (inline, code, sentence):
        shown = made(text) or "x"
        for frame in ("{}", "# {}", "- {}\n- b", "| a |\n|---|\n| {} |", "> {}"):
            outline = [line.partition("text")[0] for line in gfm.outline(frame.format(shown))]
            assert outline == [line.partition("text")[0] for line in gfm.outline(frame.format("x"))]


@given(EVIL)
def test_prose_is_paragraphs_lists_and_code(text: str) -> None:
    shown = gfm.outline(f"before\n\n{prose(text)}\n\n## after")
    assert shown[:2] == ["paragraph_open p", " text"] and shown[-2:] == ["heading_open h2", " text"]
    assert all(_OWN.fullmatch(line) for line in shown[:-2])


@given(EVIL)
def test_a_block_is_one_block(text: str) -> None:
    shown = gfm.outline(f"before\n\n{block(text)}\n\nafter")
    assert shown == ["paragraph_open p", " text", "fence code", "paragraph_open p", " text"]


def test_the_signs_above_do_act_without_the_guard() -> None:
    for sign in ("@ada", "#12", "![x](y)", "<img src=x>", "/close", "https://evil.example/1", "</details>"):
        assert acts(sign), sign
