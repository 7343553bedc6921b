from pathlib import Path

import pytest

from runners.policy.capabilities import Policy
from runners.tools.base import ToolContext
from tests.support.tool_context import call, context


@pytest.fixture
def ctx(tmp_path: Path) -> ToolContext:
    made = context(tmp_path, policy=Policy(role="full", protected=("locked",)))
    for path in ("a", "locked"):
        (made.root / path).write_text("one\ntwo\n")
    assert call(made, "git_commit", message="second").ok
    return made


def test_history(ctx: ToolContext) -> None:
    (ctx.root / "a").write_text("one\n2\n")
    committed = call(ctx, "git_commit", message="third\n\nwith -- more")
    assert committed.text.endswith("third")
    assert call(ctx, "git_log").text.count("\n") == 2
    assert "+2" in call(ctx, "git_show").text and "second" in call(ctx, "git_show", revision="HEAD~1").text
    assert call(ctx, "git_show", revision="HEAD~1", path="a").text == "one\ntwo"
    blame = call(ctx, "git_blame", path="a", end_line=2).text.splitlines()
    assert blame[0].split()[0] != blame[1].split()[0] and blame[1].endswith("2")
    first = call(ctx, "git_merge_base", one="base", other="HEAD").text
    assert call(ctx, "git_show", revision=first[:9]).text.startswith(f"commit {first}")
    assert call(ctx, "git_commit", message="x").text == "Nothing differs from the last commit."


@pytest.mark.parametrize(
    ("tool", "arguments", "says"),
    [
        ("git_show", {"revision": "--output=/tmp/x"}, "is not a revision"),
        ("git_show", {"revision": "HEAD:a"}, "is not a revision"),
        ("git_show", {"revision": "main"}, "There is no commit `main`"),
        ("git_show", {"revision": "0" * 40}, "There is no commit"),
        ("git_show", {"path": "none"}, "cat-file failed"),
        ("git_show", {"path": "../x"}, "outside the workspace"),
        ("git_blame", {"path": "a", "start_line": 9, "end_line": 10}, "blame failed"),
        ("git_branch", {"name": "-d"}, "cannot be the name"),
        ("git_branch", {"name": "a..b"}, "cannot be the name"),
        ("git_branch", {"name": "x.lock"}, "failed"),
        ("git_checkout", {"branch": "none"}, "failed"),
        ("git_stash", {"back": True}, "There is no stash"),
        ("git_stash", {}, "Nothing differs"),
        ("git_add", {"paths": ["none"]}, "failed"),
    ],
)
def test_what_cannot_be_done(ctx: ToolContext, tool: str, arguments: dict[str, object], says: str) -> None:
    result = call(ctx, tool, **arguments)
    assert not result.ok and says in result.text, result.text


def test_restoring(ctx: ToolContext) -> None:
    (ctx.root / "a").write_text("changed\n")
    (ctx.root / "new").write_text("x\n")
    assert call(ctx, "git_restore", path="a").files_changed == ("a",)
    assert (ctx.root / "a").read_text() == "one\ntwo\n" and (ctx.root / "new").exists()
    assert call(ctx, "git_restore", path=".").text == "Restored: new."
    assert not (ctx.root / "new").exists()
    assert call(ctx, "git_restore", path=".").text == "There is nothing to undo."
    # To the base, where the files were not there yet; a protected one stays.
    assert call(ctx, "git_restore", path="locked", base=True).denied
    assert call(ctx, "git_restore", path="a", base=True).ok and not (ctx.root / "a").exists()


def test_branches_of_ones_own(ctx: ToolContext) -> None:
    assert call(ctx, "git_branch").text == "There is no branch."
    assert call(ctx, "git_branch", name="try/one").text.strip() == "try/one"
    assert call(ctx, "git_checkout", branch="try/one").ok
    (ctx.root / "a").write_text("tried\n")
    assert "Commit or stash" in call(ctx, "git_checkout", branch="start").text
    assert call(ctx, "git_commit", message="tried").ok
    assert call(ctx, "git_branch").text == "* try/one"
    assert call(ctx, "git_checkout", branch="try/one").ok
    assert (ctx.root / "a").read_text() == "tried\n"
    assert "tried" in call(ctx, "git_show", revision="try/one").text


def test_start_is_where_the_work_began(tmp_path: Path) -> None:
    ctx = context(tmp_path)
    (ctx.root / "a").write_text("x\n")
    assert call(ctx, "git_commit", message="x").ok
    assert call(ctx, "git_checkout", branch="start").ok and not (ctx.root / "a").exists()


def test_the_stash(ctx: ToolContext) -> None:
    (ctx.root / "a").write_text("aside\n")
    (ctx.root / "new").write_text("x\n")
    assert "M  a\nA  new" in call(ctx, "git_stash").text
    assert (ctx.root / "a").read_text() == "one\ntwo\n" and not (ctx.root / "new").exists()
    (ctx.root / "b").write_text("y\n")
    assert "a stash already" in call(ctx, "git_stash").text
    assert "not committed" in call(ctx, "git_stash", back=True).text
    assert call(ctx, "git_commit", message="between").ok
    assert call(ctx, "git_stash", back=True).ok
    assert {p.name: p.read_text() for p in ctx.root.iterdir() if p.is_file()} == {
        "a": "aside\n",
        "b": "y\n",
        "locked": "one\ntwo\n",
        "new": "x\n",
    }


def test_a_stash_that_does_not_fit_is_kept(ctx: ToolContext) -> None:
    (ctx.root / "a").write_text("aside\n")
    assert call(ctx, "git_stash").ok
    (ctx.root / "a").write_text("otherwise\n")
    assert call(ctx, "git_commit", message="between").ok
    assert "conflicts with later changes, so it was kept" in call(ctx, "git_stash", back=True).text
    assert (ctx.root / "a").read_text() == "otherwise\n"
    assert "so it was kept" in call(ctx, "git_stash", back=True).text


def test_staging(ctx: ToolContext) -> None:
    (ctx.root / "new").write_text("x\n")
    assert call(ctx, "git_add", paths=["new"]).text == "A  new"
