"""Strangers' text in comments: it shows, and does nothing."""

import pytest

from bot.report.escape import block, inline, prose

J = "\u2060"  # keeps forges from acting on what follows a mark


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("@everyone, a@b.c", f"@{J}everyone, a@{J}b.c"),
        ("<img src=x>", "&lt;img src=x\\>"),
        ("![x](http://e/x.png)", f"\\!\\[x\\]\\(http:{J}//e/x.png\\)"),
        ("a | b", "a \\| b"),
        ("Closes #4, o/r#4 and gh-5", f"Closes \\#{J}4, o/r\\#{J}4 and gh\\-{J}5"),
        ("two\nlines", "two lines"),
        ("\x1b[31mred\x1b[0m", "\\[31mred\\[0m"),
        ("-->", "\\-\\-\\>"),
        ("&#64;x", f"&amp;\\#{J}64;x"),
    ],
)
def test_inline(text: str, shown: str) -> None:
    assert inline(text) == shown


def test_inline_is_bounded() -> None:
    assert len(inline("x" * 1000)) == 300


@pytest.mark.parametrize("text", ["```\nfree", "````` five", "plain", "a\r\n```\r\nb"])
def test_a_block_cannot_be_ended_from_inside(text: str) -> None:
    shown = block(text)
    fence = shown[: len(shown) - len(shown.lstrip("`"))]
    assert len(fence) >= 3
    assert shown.endswith(f"\n{fence}")
    assert fence not in shown[len(fence) : -len(fence)]


def test_a_long_block_loses_its_middle() -> None:
    shown = block("a" * 5000 + "b" * 5000)
    assert "characters left out" in shown and len(shown) < 6200


def test_prose_keeps_paragraphs() -> None:
    assert prose("one\n\n# two @x") == f"one\n\n\\# two @{J}x"
