import os
from pathlib import Path

import pytest

from runners.policy.capabilities import Policy
from runners.tools.base import ToolContext
from runners.tools.files.paths import move, remove
from tests.support.tool_context import call, context


@pytest.fixture
def ctx(tmp_path: Path) -> ToolContext:
    made = context(tmp_path, policy=Policy(protected=("locked/**", "*.lock")))
    for path in ("a.txt", "src/b.py", "src/deep/c.py", "locked/d", "uv.lock"):
        (made.root / path).parent.mkdir(parents=True, exist_ok=True)
        (made.root / path).write_text(f"{path}\n")
    return made


def tree(ctx: ToolContext) -> list[str]:
    return sorted(p.relative_to(ctx.root).as_posix() for p in ctx.root.rglob("*") if not p.is_dir())


ALL = ["a.txt", "locked/d", "src/b.py", "src/deep/c.py", "uv.lock"]


def test_moving(ctx: ToolContext) -> None:
    done = call(ctx, "move_path", source="a.txt", target="new/x.txt")
    assert done.ok and set(done.files_changed) == {"a.txt", "new/x.txt"}
    done = call(ctx, "move_path", source="src", target="lib")
    assert set(done.files_changed) == {"src/b.py", "src/deep/c.py", "lib/b.py", "lib/deep/c.py"}
    assert tree(ctx) == ["lib/b.py", "lib/deep/c.py", "locked/d", "new/x.txt", "uv.lock"]


@pytest.mark.parametrize(
    ("source", "target", "says"),
    [
        ("a.txt", "src/b.py", "exists already"),
        ("src", "src/deep/x", "into itself"),
        ("nothing", "x", "There is no"),
        ("a.txt", "../x", "outside the workspace"),
        ("a.txt", ".git/hooks/pre-commit", "cannot be reached"),
        ("a.txt", "locked/e", "is protected"),
        ("locked/d", "x", "is protected"),
        ("locked", "open", "is protected"),
        ("a.txt", "a.txt/b", "into itself"),
        ("a.txt", "src/b.py/c", "a file where a folder is needed"),
    ],
)
def test_moves_that_are_refused_change_nothing(ctx: ToolContext, source: str, target: str, says: str) -> None:
    result = call(ctx, "move_path", source=source, target=target)
    assert not result.ok and says in result.text, result.text
    assert tree(ctx) == ALL


def test_deleting(ctx: ToolContext) -> None:
    assert "not empty" in call(ctx, "delete_path", path="src").text
    done = call(ctx, "delete_path", path="src", recursive=True)
    assert done.files_changed == ("src/b.py", "src/deep/c.py")
    assert call(ctx, "delete_path", path="a.txt").text == "Deleted `a.txt`."
    for path, says in [
        ("uv.lock", "protected"),
        (".", "workspace itself"),
        ("locked", "protected"),
        ("x", "no `x`"),
    ]:
        result = call(ctx, "delete_path", path=path, recursive=True)
        assert not result.ok and says in result.text
    assert tree(ctx) == ["locked/d", "uv.lock"]


def test_a_link_is_deleted_and_not_what_it_points_to(ctx: ToolContext, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").write_text("x")
    (ctx.root / "link").symlink_to(outside)
    (ctx.root / "src" / "link").symlink_to(outside)
    assert "leads through a link" in call(ctx, "delete_path", path="link/kept").text
    assert call(ctx, "delete_path", path="link").ok
    assert call(ctx, "delete_path", path="src", recursive=True).ok
    assert (outside / "kept").exists()


def test_a_folder_link_does_not_lead_around_the_protection(ctx: ToolContext) -> None:
    (ctx.root / "way").symlink_to("locked")
    for result in (
        call(ctx, "delete_path", path="way/d"),
        call(ctx, "move_path", source="a.txt", target="way/e"),
        call(ctx, "append_file", path="way/d", content="x"),
        call(ctx, "apply_patch", patch="--- a/way/d\n+++ b/way/d\n@@ -1 +1 @@\n-locked/d\n+x\n"),
    ):
        assert result.denied, result.text
    assert (ctx.root / "locked/d").read_text() == "locked/d\n"


def test_folders(ctx: ToolContext) -> None:
    assert call(ctx, "make_folder", path="x/y/z").ok and (ctx.root / "x/y/z").is_dir()
    assert call(ctx, "make_folder", path="x/y/z").ok
    assert not call(ctx, "make_folder", path="a.txt/b").ok
    assert not call(ctx, "make_folder", path="a.txt").ok


def test_info(ctx: ToolContext) -> None:
    (ctx.root / "latin.py").write_bytes("# coding: latin-1\nx = 'ä'\n".encode("latin-1"))
    (ctx.root / "link").symlink_to("a.txt")
    os.mkfifo(ctx.root / "pipe")
    info = call(ctx, "file_info", path="latin.py")
    assert info.data["encoding"] == "iso8859-1" and info.data["lines"] == 2 and info.data["size"] == 26
    assert "points to a.txt" in call(ctx, "file_info", path="link").text
    assert "special file" in call(ctx, "file_info", path="pipe").text
    assert "`src`: folder" in call(ctx, "file_info", path="src").text
    assert "There is no" in call(ctx, "file_info", path="nothing").text


def test_comparing(ctx: ToolContext) -> None:
    (ctx.root / "b.txt").write_text("a.txt\nmore")
    text = call(ctx, "diff_files", path="a.txt", other="b.txt").text
    assert text == "--- a.txt\n+++ b.txt\n@@ -1 +1,2 @@\n a.txt\n+more\n\\ No newline at end of file"
    assert call(ctx, "diff_files", path="a.txt", other="a.txt").text == "There is no difference."
    assert "+a.txt" in call(ctx, "diff_files", path="a.txt").text


def test_appending(ctx: ToolContext) -> None:
    (ctx.root / "w.txt").write_bytes(b"one\r\ntwo")
    assert call(ctx, "append_file", path="w.txt", content="three\n").text == "Added 1 lines to `w.txt`."
    assert (ctx.root / "w.txt").read_bytes() == b"one\r\ntwo\r\nthree\r\n"
    assert call(ctx, "append_file", path="new/n.py", content="def f(:\n").text.endswith("Fix this first.")
    assert (ctx.root / "new/n.py").read_text() == "def f(:\n"


def test_encodings_survive_an_edit(ctx: ToolContext) -> None:
    for name, codec in [("a", "utf-16"), ("b", "utf-8-sig"), ("c", "latin-1")]:
        (ctx.root / name).write_bytes("x = 'ä'\ny = 2\n".encode(codec))
        assert "ä" in call(ctx, "read_file", path=name).text
        assert call(ctx, "edit_file", path=name, old="y = 2", new="y = 'é'").ok
        assert (ctx.root / name).read_bytes() == "x = 'ä'\ny = 'é'\n".encode(codec), codec


def test_checks_see_every_file(tmp_path: Path) -> None:
    (tmp_path / "d/e").mkdir(parents=True)
    (tmp_path / "d/e/f").touch()
    seen: list[str] = []
    assert move(tmp_path, "d", "g", seen.append) == ["d/e/f", "g/e/f"]
    assert seen == ["d/e/f", "g", "g/e/f"]
    assert remove(tmp_path, "g", seen.append, recursive=True) == ["g/e/f"]
