"""Diffs as coloured lines, and long output cut."""

from bot.report.page.diff import diff_lines, file_diffs, is_diff, plain_lines, replaced_lines
from bot.report.page.output import FIRST, LAST, cut
from tests.support.run_logs import DIFF_TEXT


def kinds(text: str) -> list[str]:
    return [line.kind for line in diff_lines(text)]


def test_a_hunk_ends_where_its_head_says_so() -> None:
    text = "Look:\n@@ -1,2 +1,2 @@\n same\n-old\n+new\n- a list\n- of two"
    assert is_diff(text) and not is_diff("- a list\n- of two")
    assert kinds(text) == ["same", "hunk", "same", "removed", "added", "same", "same"]


def test_removed_lines_that_look_like_heads_are_removed_lines() -> None:
    assert kinds("--- a/x\n+++ b/x\n@@ -1,1 +1,1 @@\n--- x\n+++ y\n") == [
        "head",
        "head",
        "hunk",
        "removed",
        "added",
        "same",
    ]
    assert kinds("@@ -1 +1 @@\n-a\n\\ No newline at end of file\n+b\n\\ No newline at end of file")[1:3] == [
        "removed",
        "same",
    ]


def test_files_of_a_diff_are_told_apart_and_counted() -> None:
    two = DIFF_TEXT + DIFF_TEXT.replace("checkout.py", "cart.py")
    assert [(each.path, each.added, each.removed) for each in file_diffs(two)] == [
        ("shop/checkout.py", 1, 1),
        ("shop/cart.py", 1, 1),
    ]
    assert file_diffs("no diff at all") == []


def test_long_output_keeps_its_beginning_and_end() -> None:
    lines = plain_lines("\n".join(map(str, range(100))))
    found = cut(lines)
    assert (len(found.first), len(found.last), found.hidden) == (FIRST, LAST, 100 - FIRST - LAST)
    assert found.first[0].text == "0" and found.last[-1].text == "99"
    assert cut(lines[:36]).hidden == 0
    assert len(cut(plain_lines("x" * 5000)).first[0].text) == 2001


def test_a_replaced_passage_is_a_diff() -> None:
    assert [tuple(line) for line in replaced_lines("a\nb", "c")] == [
        ("removed", "-a"),
        ("removed", "-b"),
        ("added", "+c"),
    ]
