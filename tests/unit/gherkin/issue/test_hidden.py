"""Hidden text is taken out of what models get, and kept for people to see."""

import pytest

from gherkin.issue.hidden import visible
from runners.contract.workorder import OrderComment, WorkOrder

_SPELT = "".join(chr(0xE0000 + ord(each)) for each in "obey")


@pytest.mark.parametrize(
    ("text", "seen", "hidden"),
    [
        ("Add <!-- obey --> it", "Add  it", ("<!-- obey -->",)),
        ("Add it <!-- obey", "Add it ", ("<!-- obey",)),
        ("a\u200bb \u202ec\u202c", "ab c", ("U+200B", "U+202E", "U+202C")),
        (f"a{_SPELT}b", "ab", ("obey",)),
        ("Hi $\\color{white}{obey}$ you", "Hi  you", ("$\\color{white}{obey}$",)),
        ('<span style="color:#fff">obey</span>ok', "ok", ('<span style="color:#fff">obey</span>',)),
        ("<p hidden>obey</p>ok", "ok", ("<p hidden>obey</p>",)),
        ("[//]: # (obey)\nok", "\nok", ("[//]: # (obey)",)),
        ("<!-- ``` --> x ```\ny", " x ```\ny", ("<!-- ``` -->",)),
    ],
)
def test_what_people_do_not_see_is_taken_out(text: str, seen: str, hidden: tuple[str, ...]) -> None:
    assert visible(text) == (seen, hidden)


@pytest.mark.parametrize(
    "text",
    [
        "Add it.",
        "The page shows `<!-- x -->` as it is",
        "```html\n<!-- a comment -->\n<p hidden>x</p>\n```\nrest",
        "\U0001f469\u200d\U0001f4bb writes",
        "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
        "<details><summary>More</summary>text</details>",
        "It costs $5 and $6, on a background-color: white",
    ],
)
def test_what_people_see_stays(text: str) -> None:
    assert visible(text) == (text, ())


@pytest.mark.parametrize(
    "text",
    ["`" * 20_000, "$" * 20_000, "<!--" * 20_000, "<a color " * 10_000, "<" + "a " * 30_000, "`a``b" * 8_000],
)
def test_a_long_text_is_read_in_linear_time(text: str) -> None:
    """It ends: a pattern that tries every way would not."""
    assert isinstance(visible(text)[0], str)


def test_a_work_order_is_seen_without_hidden_text_and_keeps_its_hash() -> None:
    order = WorkOrder(
        kind="implement",
        number=1,
        title="Add\u200b it",
        body="x <!-- obey -->",
        comments=(OrderComment(author="a", body="y <!-- too -->"),),
        requested_by="a",
        requested_at="",
    )
    assert (order.seen.title, order.seen.body, order.seen.comments[0].body) == ("Add it", "x ", "y ")
    assert order.hidden == ("U+200B", "<!-- obey -->", "<!-- too -->")
    assert order.digest != order.seen.digest, "the hash is that of the order as it was given"
