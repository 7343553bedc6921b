"""apply_patch and edit_file: examples, and against oracles in plain Python."""

import difflib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from runners.policy.capabilities import Policy
from runners.tools.base import Refused, ToolContext
from runners.tools.files.diff_format import apply_hunks, parse_patch
from runners.tools.files.replace import replace_once
from tests.support.tool_context import call, context

# Few different lines, so that passages repeat; some look like parts of a patch.
LINE = st.sampled_from(
    [
        "",
        "a",
        "b",
        " a",
        "a ",
        "\ta",
        "-- x",
        "++ y",
        "-a",
        "+a",
        "@@ -1 +1 @@",
        "\\ x",
        "diff --git a b",
        "ä",
    ]
)
FILE = st.builds(
    lambda lines, end: "\n".join(lines) + ("\n" if end and lines else ""),
    st.lists(LINE, max_size=12),
    st.booleans(),
)


@pytest.fixture
def ctx(tmp_path: Path) -> ToolContext:
    made = context(tmp_path, policy=Policy(protected=("locked",)))
    (made.root / "a.py").write_text("one\ntwo\nthree\nfour\n")
    (made.root / "b.py").write_text("x\n")
    (made.root / "locked").write_text("x\n")
    return made


def unified(before: str, after: str, context: int = 3) -> str:
    lines = difflib.unified_diff(
        before.splitlines(keepends=True), after.splitlines(keepends=True), "a/f", "b/f", n=context
    )
    return "".join(
        line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines
    )


@settings(max_examples=400, deadline=None)
@given(before=FILE, after=FILE, size=st.integers(0, 3))
@example(before="-- x\na\n", after="a\n", size=0)
@example(before="a", after="a\n", size=3)
@example(before="", after="\n", size=3)
def test_what_diff_takes_apart_a_patch_puts_together(before: str, after: str, size: int) -> None:
    assume(before != after and "\r" not in before)
    [patch] = parse_patch(unified(before, after, size))
    assert apply_hunks(before, patch.hunks, "f") == after


@settings(max_examples=200, deadline=None)
@given(before=FILE, after=FILE, above=st.lists(st.sampled_from(["new", "other"]), min_size=1, max_size=4))
def test_a_patch_for_an_older_version_fits_once_or_is_refused(
    before: str, after: str, above: list[str]
) -> None:
    """Lines added above move every passage; only where the file then has it once may it be changed."""
    assume(before != after)
    patch = unified(before, after)
    head = "".join(f"{line}\n" for line in above)
    [parsed] = parse_patch(patch)
    try:
        result = apply_hunks(head + before, parsed.hunks, "f")
    except Refused:
        return
    plain = [hunk for hunk in parsed.hunks if hunk.old]
    if len(plain) == len(parsed.hunks) == 1 and (head + before).count("\n".join(plain[0].old)) == 1:
        assert result == head + after


@settings(max_examples=400, deadline=None)
@given(text=FILE, old=FILE, new=FILE)
def test_an_edit_is_str_replace_where_the_passage_is_unique(text: str, old: str, new: str) -> None:
    places = [at for at in range(len(text)) if text.startswith(old, at)] if old.strip() else []
    if len(places) == 1 and old != new:
        assert replace_once(text, old, new).text == text.replace(old, new)
        return
    try:
        done = replace_once(text, old, new)
    except Refused:
        return
    # Only white space may have been overlooked, and only where the exact text is nowhere.
    assert not places and done.loosely
    wanted = [line.strip() for line in old.strip("\n").split("\n")]
    assert [line.strip() for line in text.split("\n")[done.line - 1 :]][: len(wanted)] == wanted


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(patch=st.text(alphabet="-+@ \\0123,ab/\n", max_size=200))
def test_no_text_breaks_the_parser(patch: str) -> None:
    try:
        for each in parse_patch(patch):
            apply_hunks("a\nb\n", each.hunks, "f")
    except Refused:
        return


def test_several_files_at_once(ctx: ToolContext) -> None:
    patch = (
        "diff --git a/a.py b/a.py\n--- a/a.py\n+++ b/a.py\n@@ -1,3 +1,3 @@\n one\n-two\n+2\n three\n"
        "--- a/b.py\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\n"
        "--- /dev/null\n+++ b/new/c.py\n@@ -0,0 +1,2 @@\n+def f(:\n+    pass\n"
    )
    result = call(ctx, "apply_patch", patch=patch)
    assert result.ok, result.text
    assert result.files_changed == ("a.py", "b.py", "new/c.py")
    assert "Deleted `b.py`" in result.text and "new/c.py: line 1" in result.text
    assert (ctx.root / "a.py").read_text() == "one\n2\nthree\nfour\n"
    assert not (ctx.root / "b.py").exists() and (ctx.root / "new/c.py").exists()


@pytest.mark.parametrize(
    ("second", "says"),
    [
        ("--- a/b.py\n+++ b/b.py\n@@ -1 +1 @@\n-nothing\n+y\n", "Hunk 1 of `b.py` does not fit"),
        ("--- a/none\n+++ b/none\n@@ -1 +1 @@\n-x\n+y\n", "There is no `none`"),
        ("--- a/locked\n+++ b/locked\n@@ -1 +1 @@\n-x\n+y\n", "is protected"),
        ("--- /dev/null\n+++ b/b.py\n@@ -0,0 +1 @@\n+y\n", "exists already"),
        ("--- a/../b\n+++ b/../b\n@@ -1 +1 @@\n-x\n+y\n", "outside the workspace"),
        ("--- a/a.py\n+++ b/a.py\n@@ -4 +4 @@\n-four\n+4\n", "occurs twice in the patch"),
        ("--- a/b.py\n+++ b/c.py\n@@ -1 +1 @@\n-x\n+y\n", "Use move_path"),
        ("--- a/b.py\n+++ /dev/null\n@@ -1 +1 @@\n-x\n+y\n", "does not remove all of its lines"),
        ("--- a/b.py\n+++ b/b.py\n@@ @@\n-x\n+y\n", "is not a hunk header"),
    ],
)
def test_all_or_nothing(ctx: ToolContext, second: str, says: str) -> None:
    result = call(ctx, "apply_patch", patch="--- a/a.py\n+++ b/a.py\n@@ -1 +1 @@\n-one\n+1\n" + second)
    assert not result.ok and says in result.text, result.text
    assert (ctx.root / "a.py").read_text().startswith("one\n")
    assert (ctx.root / "locked").read_text() == "x\n"


def test_a_write_that_fails_takes_the_others_back(ctx: ToolContext) -> None:
    (ctx.root / "link").symlink_to("b.py")
    patch = "--- a/a.py\n+++ b/a.py\n@@ -1 +1 @@\n-one\n+1\n--- a/link\n+++ b/link\n@@ -1 +1 @@\n-x\n+y\n"
    result = call(ctx, "apply_patch", patch=patch)
    assert not result.ok and "symbolic link" in result.text
    assert (ctx.root / "a.py").read_text().startswith("one\n") and (ctx.root / "b.py").read_text() == "x\n"


def test_what_models_get_wrong(ctx: ToolContext) -> None:
    for patch, says in [
        # Wrong counts and a wrong line number, but one place only; a blank line without its space.
        ("--- a.py\n+++ a.py\n@@ -40,9 +41,9 @@ def f\n two\n-three\n+3\n four\n\n", "Changed"),
        ("--- a.py\n+++ a.py\n@@ -1,2 +1,2 @@\n 9\n-four\n+4\n", "does not fit"),
        ("just text", "not a unified diff"),
        ("@@ -1 +1 @@\n-one\n+1\n", "without `--- path`"),
    ]:
        assert says in call(ctx, "apply_patch", patch=patch).text
    assert (ctx.root / "a.py").read_text() == "one\ntwo\n3\nfour\n"


def test_line_ends_stay(ctx: ToolContext) -> None:
    (ctx.root / "w").write_bytes(b"one\r\ntwo\r\n")
    assert call(ctx, "apply_patch", patch="--- a/w\n+++ b/w\n@@ -1,2 +1,2 @@\n one\n-two\n+2\n").ok
    assert (ctx.root / "w").read_bytes() == b"one\r\n2\r\n"
