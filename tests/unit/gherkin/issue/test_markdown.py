"""Fenced blocks apart from prose."""

import pytest

from gherkin.issue.markdown import Block, split


def test_blocks_and_prose_keep_their_lines() -> None:
    prose, blocks = split("a\n```Gherkin title=x\none\n\ntwo\n```\nb\r\n~~~\nthree\n~~~")
    assert prose == "a\n\n\n\n\n\nb\n\n\n"
    assert blocks == [Block("gherkin", "one\n\ntwo", 3), Block("", "three", 9)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("- x\n    ```yaml\n    a:\n      b\n  c\n    ```", [Block("yaml", "a:\n  b\nc", 3)]),
        ("````md\n```gherkin\nx\n```\n````", [Block("md", "```gherkin\nx\n```", 2)]),
        ("```\n~~~\n```", [Block("", "~~~", 2)]),
        ("```gherkin\nx\ny", [Block("gherkin", "x\ny", 2)]),
        ("```gherkin", [Block("gherkin", "", 2)]),
        ("```inline``` is no fence", []),
        ("``\nx\n``", []),
    ],
)
def test_fences(text: str, expected: list[Block]) -> None:
    assert split(text)[1] == expected


@pytest.mark.parametrize(
    ("text", "prose"),
    [
        ("a <!-- b --> c", "a  c"),
        ("<!--\n```gherkin\nx\n```\n-->\nseen", "\n\n\n\n\nseen"),
        ("write `<!--` first\nseen", "write `<!--` first\nseen"),
        ("  <!-- a\n<!-- b --> c", "  \n c"),
        ("```\n<!-- kept\n```", "\n\n"),
    ],
)
def test_html_comments_are_not_prose(text: str, prose: str) -> None:
    found, blocks = split(text)
    assert found == prose
    assert all("<!-- kept" in block.text for block in blocks)
