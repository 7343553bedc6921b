from pathlib import Path

import pytest

from runners.policy.capabilities import Policy
from runners.tools.base import Refused, ToolContext
from runners.tools.files.replace import replace_once
from runners.tools.files.syntax import problem
from tests.support.growth import assert_linear
from tests.support.tool_context import call, context


@pytest.fixture
def ctx(tmp_path: Path) -> ToolContext:
    return context(tmp_path, policy=Policy(protected=("features/locked.feature", ".github/workflows/**")))


def test_reading_with_numbers(ctx: ToolContext) -> None:
    (ctx.root / "a.txt").write_text("one\ntwo\nthree\n")
    whole = call(ctx, "read_file", path="/workspace/a.txt")
    assert whole.ok and whole.text == "`a.txt`, lines 1 to 3 of 3:\n    1\tone\n    2\ttwo\n    3\tthree"
    part = call(ctx, "read_file", path="a.txt", start_line=2, end_line=2)
    assert part.text == "`a.txt`, lines 2 to 2 of 3:\n    2\ttwo"


def test_reading_a_long_file_page_by_page(ctx: ToolContext) -> None:
    (ctx.root / "a.txt").write_text("".join(f"line {n}\n" for n in range(1, 5001)))
    start, seen = 1, []
    while True:
        page = call(ctx, "read_file", path="a.txt", start_line=start)
        assert "cut from the middle" not in page.text and len(page.text) <= 16_000
        seen += [line.split("\t")[1] for line in page.text.splitlines() if "\t" in line]
        if "go on with start_line=" not in page.text:
            break
        start = int(page.text.split("start_line=")[1].split()[0])
    assert seen == [f"line {n}" for n in range(1, 5001)]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"\x7fELF\0\0", "binary file of 6 bytes"),
        (b"x" * 5_000_001, "larger than"),
        (b"caf\xe9\n", "encoding is latin-1 (guessed)"),
        (b"a\r\nb\r\n", "line ends are CRLF"),
        (b"", "is empty"),
        (b"x" * 9000, "7,000 characters more"),
    ],
)
def test_reading_odd_files(ctx: ToolContext, content: bytes, says: str) -> None:
    (ctx.root / "odd").write_bytes(content)
    assert says in call(ctx, "read_file", path="odd").text


def test_reading_what_is_not_there(ctx: ToolContext) -> None:
    (ctx.root / "a").write_text("x\n")
    for arguments, says in [
        ({"path": "b"}, "There is no `b`"),
        ({"path": "a", "start_line": 2}, "has 1 lines"),
        ({"path": "a", "start_line": 1, "end_line": 0}, "end_line"),
        ({"path": "."}, "is a folder"),
    ]:
        result = call(ctx, "read_file", **arguments)
        assert not result.ok and says in result.text


def test_writing(ctx: ToolContext) -> None:
    made = call(ctx, "write_file", path="x/y.py", content="a = 1\n")
    assert made.ok and made.text == "Created `x/y.py` (1 lines)." and made.files_changed == ("x/y.py",)
    again = call(ctx, "write_file", path="x/y.py", content="a = 'ä'\nb = 2")
    assert again.text == "Replaced `x/y.py` (2 lines)."
    assert (ctx.root / "x/y.py").read_bytes() == "a = 'ä'\nb = 2".encode()


def test_protected_files_are_not_written(ctx: ToolContext) -> None:
    locked = ctx.root / "features" / "locked.feature"
    locked.parent.mkdir()
    locked.write_text("old")
    (ctx.root / "other").symlink_to("features")
    for path in ("features/locked.feature", "other/locked.feature", "features/../features/locked.feature"):
        assert "protected" in call(ctx, "write_file", path=path, content="new").text
        edited = call(ctx, "edit_file", path=path, old="old", new="new")
        assert "protected" in edited.text and not edited.ok and edited.files_changed == ()
    assert not call(ctx, "write_file", path=".github/workflows/ci.yml", content="x").ok
    assert not (ctx.root / ".github").exists()
    assert locked.read_text() == "old"
    assert call(ctx, "write_file", path="features/other.feature", content="x").ok


def test_nothing_outside_is_written(ctx: ToolContext, tmp_path: Path) -> None:
    for path in ("../out", str(tmp_path / "out"), ".git/config", "a/../../out"):
        assert not call(ctx, "write_file", path=path, content="x").ok
    assert not (tmp_path / "out").exists() and not (ctx.root / ".git").exists()


def test_content_that_cannot_be_stored(ctx: ToolContext) -> None:
    result = call(ctx, "write_file", path="a", content="\ud800")
    assert not result.ok and "surrogate" in result.text and not (ctx.root / "a").exists()


def test_editing(ctx: ToolContext) -> None:
    (ctx.root / "a.py").write_text("x = 1\ny = 2\n")
    result = call(ctx, "edit_file", path="a.py", old="y = 2", new="y = 3")
    assert result.ok and result.text == "Replaced the passage at line 2 of `a.py`."
    assert result.files_changed == ("a.py",)
    assert (ctx.root / "a.py").read_text() == "x = 1\ny = 3\n"


def test_an_edit_that_fails_changes_nothing(ctx: ToolContext) -> None:
    (ctx.root / "a.py").write_text("x = 1\nx = 1\n")
    (ctx.root / "b.bin").write_bytes(b"\xff")
    assert "more than once, at lines 1, 2" in call(ctx, "edit_file", path="a.py", old="x = 1", new="x").text
    assert "does not occur" in call(ctx, "edit_file", path="a.py", old="zzz", new="x").text
    assert "latin-1, which cannot hold" in call(ctx, "edit_file", path="b.bin", old="\xff", new="\u20ac").text
    assert (ctx.root / "b.bin").read_bytes() == b"\xff"
    assert (ctx.root / "a.py").read_text() == "x = 1\nx = 1\n"


def test_broken_syntax_is_part_of_the_answer(ctx: ToolContext) -> None:
    result = call(ctx, "write_file", path="a.py", content="def f(:\n")
    assert result.ok and "syntax is now broken: line 1" in result.text and "line 1" in result.data["syntax"]
    assert (ctx.root / "a.py").exists()
    mended = call(ctx, "edit_file", path="a.py", old="def f(:", new="def f(): pass")
    assert "syntax" not in mended.text and "syntax" not in mended.data


GOOD_FEATURE = "Feature: a\n  Scenario: b\n    Given c\n"


@pytest.mark.parametrize(
    ("name", "good", "bad", "says"),
    [
        ("a.py", "x = 1", "x =", "line 1"),
        ("a.py", "x = 1", "x = 1\n  y", "line 2"),
        ("a.py", "x = 1", "\0", "null"),
        ("a.json", '{"a": 1}', '{"a": 1,}', "line 1"),
        ("a.yaml", "a: [1]\n---\nb: *x\n", "a:\n  - [1\nb: 2", "line 3"),
        ("a.YML", "a: 1", "a: \x01", "special characters"),
        ("a.toml", "a = 1", "a = 1\n= ", "line 2"),
        (
            "a.feature",
            GOOD_FEATURE,
            "Feature: a\n  Scenario: b\n    Gven c\n    Given d\n    nonsense",
            'line 5: "nonsense"',
        ),
        ("a.feature", GOOD_FEATURE, "Feature: a\n  Scenari: b\n    Given c\n", "no scenario"),
        ("a.feature", GOOD_FEATURE, GOOD_FEATURE + "  Scenario: empty\n", "line 4: the scenario `empty`"),
        ("a.feature", GOOD_FEATURE, "", "no `Feature:`"),
        ("a.feature", GOOD_FEATURE, "# language: zz\n" + GOOD_FEATURE, "zz"),
        ("a.json", "[" * 500 + "]" * 500, "[" * 100_000, "deeply"),
        ("a.py", "\ufeffx = 1", "-" * 100_000 + "1", "deeply"),
    ],
)
def test_syntax(name: str, good: str, bad: str, says: str) -> None:
    assert problem(name, good) is None
    found = problem(name, bad)
    assert found is not None and says in found and "\n" not in found
    assert problem("a.txt", bad) is None


# --- replacing
# ---------------------------------------------------------------------------------------------------


def test_line_ends_stay_as_they_are() -> None:
    assert replace_once("a\r\nb\r\nc\r\n", "a\nb", "x\ny\nz").text == "x\r\ny\r\nz\r\nc\r\n"
    assert replace_once("a\nb\n", "a\r\nb", "x\r\ny").text == "x\ny\n"
    assert replace_once("a\r\nb\nc\n", "b", "y").text == "a\r\ny\nc\n"
    mixed = replace_once("if a:\r\n  b\nc\n", "if a: \n    b", "if a:\n    d")
    assert mixed.text == "if a:\r\n  d\r\nc\n"


@pytest.mark.parametrize(
    ("text", "old", "new", "result"),
    [
        ("if a:\n    b\n    c\n", "b \nc", "b\nd", "if a:\n    b\n    d\n"),
        ("  a\n  b\n", "    a\n    b", "    a\n      n\n    b", None),
        ("\tif a:\n\t\tb\n", "if a:\n    b", "if a:\n    c", "\tif a:\n\t\tc\n"),
        ("  a\n    b\n", "a\n  b", "a\n  b\n    c", "  a\n    b\n      c\n"),
        ("x\n  a\ny\n", "\na \n", "\nb\n", "x\n  b\ny\n"),
        ("x\n  a\ny\n", "a \n", "", "x\ny\n"),
        ("x\n  a\ny\n", "a ", "", "x\ny\n"),
        ("  a\n", "a ", "b\n\nc", "  b\n\n  c\n"),
    ],
)
def test_white_space_is_overlooked_when_nothing_matches(
    text: str, old: str, new: str, result: str | None
) -> None:
    if result is None:
        with pytest.raises(Refused, match="closest place"):
            replace_once(text, old, new)
        return
    done = replace_once(text, old, new)
    assert done.loosely and done.text == result


def test_an_exact_match_is_preferred() -> None:
    done = replace_once("a\n  a\n", "  a", "b")
    assert not done.loosely and done.text == "a\nb\n"


def test_uneven_indentation_is_refused() -> None:
    with pytest.raises(Refused, match="by the same amount"):
        replace_once("  a\n    b\n", "a\nb", "a\nc")


def test_loose_matches_in_several_places_are_named() -> None:
    with pytest.raises(Refused, match="lines 1, 3"):
        replace_once("  a\nx\n  a\n", "a ", "b")


def test_many_places() -> None:
    with pytest.raises(Refused, match="9, 10 and more"):
        replace_once("a\n" * 100_000, "a", "b")


def test_nothing_to_do() -> None:
    for old, new in (("", "x"), (" \n", "x"), ("a", "a")):
        with pytest.raises(Refused, match=r"empty|same"):
            replace_once("a", old, new)


def test_the_closest_place_is_shown() -> None:
    text = "\n".join(f"line {n}" for n in range(100)) + "\ndef total(items):\n    return sum(items)\n"
    with pytest.raises(Refused, match="  102\t    return sum\\(items\\)"):
        replace_once(text, "def totals(items):\n    return sum(items)", "x")
    with pytest.raises(Refused, match="  101\tdef total\\(items\\):"):
        replace_once(text, "def total(item):", "x")
    with pytest.raises(Refused, match="Nothing in the file looks like it"):
        replace_once(text, "§§§§§§", "x")


@pytest.mark.parametrize("line", ["x", "  x", ""])
def test_an_edit_that_fits_nowhere_takes_linear_time(line: str) -> None:
    def attempt(text: str) -> None:
        with pytest.raises(Refused, match="does not occur"):
            replace_once(text, f"{line}\n" * 500 + "not there", "new")

    assert_linear(lambda size: f"{line}\n" * (size // 2), attempt, 20_000)
