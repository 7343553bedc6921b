import os
import shutil
import sysconfig
from pathlib import Path

import pytest

from runners.sandbox.bubblewrap import Sandbox
from runners.sandbox.limits import CommandLimits
from runners.tools.base import ToolContext
from tests.support.tool_context import call, context


@pytest.fixture
def ctx(tmp_path: Path) -> ToolContext:
    ctx = context(tmp_path)
    for name, text in {
        "a.py": "import os\nTotal = 1\n",
        "src/b.py": "total = 2\r\nx\r\n",
        "src/deep/c.txt": "total\n",
        ".hidden/d.py": "total\n",
        "node_modules/e.py": "total\n",
        "src/__pycache__/f.py": "total\n",
        ".venv/g.py": "total\n",
        "bin.dat": "total\0",
    }.items():
        path = ctx.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
    (ctx.root / "out").symlink_to(tmp_path)
    (tmp_path / "secret.py").write_text("total")
    return ctx


def test_listing(ctx: ToolContext) -> None:
    assert call(ctx, "list_files").text.splitlines() == [
        ".hidden/",
        ".hidden/d.py",
        "a.py",
        "bin.dat",
        "out/",
        "src/",
        "src/b.py",
        "src/deep/",
    ]
    assert call(ctx, "list_files", path="src", depth=1).text.splitlines() == ["src/b.py", "src/deep/"]
    assert "src/deep/c.txt" in call(ctx, "list_files", path="/workspace/src").text


def test_listing_what_cannot_be_listed(ctx: ToolContext) -> None:
    (ctx.root / "void").mkdir()
    assert call(ctx, "list_files", path="void").text == "`void` is empty."
    for path, says in (("nothing", "There is no"), ("a.py", "is a file"), ("out", "link"), ("..", "outside")):
        result = call(ctx, "list_files", path=path)
        assert not result.ok and says in result.text


def test_a_long_listing_is_bounded(ctx: ToolContext) -> None:
    for number in range(310):
        (ctx.root / "src" / f"{number:03}").touch()
    result = call(ctx, "list_files", path="src", depth=1)
    assert result.data["count"] == 312 and "12 more" in result.text and "src/300" not in result.text


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("*.py", [".hidden/d.py", "a.py", "src/b.py"]),
        ("./*.py", [".hidden/d.py", "a.py", "src/b.py"]),
        ("/workspace/src/*.py", ["src/b.py"]),
        ("src/**", ["src/b.py", "src/deep/c.txt"]),
        ("**/deep/*", ["src/deep/c.txt"]),
        ("**/secret.py", []),
        ("src", []),
    ],
)
def test_glob(ctx: ToolContext, pattern: str, found: list[str]) -> None:
    result = call(ctx, "glob", pattern=pattern)
    assert result.ok and (result.text.splitlines() == found if found else "No file matches" in result.text)


def test_a_glob_outside(ctx: ToolContext) -> None:
    assert "relative to the workspace" in call(ctx, "glob", pattern="/etc/*").text
    assert call(ctx, "glob", pattern="../*").data == {"count": 0}


@pytest.fixture(params=["python", "ripgrep"])
def engine(request: pytest.FixtureRequest, ctx: ToolContext, tmp_path: Path) -> ToolContext:
    """The context with a sandbox that has ripgrep, or has not."""
    programs = tmp_path / "programs"
    programs.mkdir()
    if request.param == "ripgrep":
        shutil.copy(Path(sysconfig.get_path("scripts")) / "rg", programs / "rg")
    sandbox = Sandbox(ctx.root, read_only={"/programs": programs}, env={"PATH": "/programs"})
    return context_with(ctx, sandbox)


def context_with(ctx: ToolContext, sandbox: Sandbox) -> ToolContext:
    return ToolContext(root=ctx.root, sandbox=sandbox, git=ctx.git, run_tests=ctx.run_tests)


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        ({"pattern": "total"}, [".hidden/d.py:1:total", "src/b.py:1:total = 2", "src/deep/c.txt:1:total"]),
        ({"pattern": r"^total$"}, [".hidden/d.py:1:total", "src/deep/c.txt:1:total"]),
        ({"pattern": r"^x$"}, ["src/b.py:2:x"]),
        ({"pattern": "^total", "ignore_case": True, "glob": "*.py", "path": "a.py"}, ["a.py:2:Total = 1"]),
        ({"pattern": "total", "glob": "*.py"}, [".hidden/d.py:1:total", "src/b.py:1:total = 2"]),
        ({"pattern": "total", "glob": "src/*"}, ["src/b.py:1:total = 2"]),
        ({"pattern": "total", "path": "src/deep"}, ["src/deep/c.txt:1:total"]),
        ({"pattern": "tot(?=al =)"}, ["src/b.py:1:total = 2"]),
        ({"pattern": "-x"}, []),
    ],
)
def test_search(engine: ToolContext, arguments: dict[str, object], found: list[str]) -> None:
    result = call(engine, "search", **arguments)
    assert result.ok, result.text
    assert result.text.splitlines() == found if found else "Nothing matches" in result.text
    assert result.data == {"count": len(found)}


def test_search_that_cannot_be_done(engine: ToolContext) -> None:
    for arguments, says in [
        ({"pattern": "("}, "not a valid regular expression"),
        ({"pattern": "a", "path": "nothing"}, "there is no `nothing`"),
        ({"pattern": "a", "path": ".git"}, "cannot be reached"),
        ({"pattern": "a", "glob": "/etc/*"}, "relative to the workspace"),
    ]:
        result = call(engine, "search", **arguments)
        assert not result.ok and says in result.text


def test_search_is_bounded(engine: ToolContext) -> None:
    (engine.root / "long").write_text("needle\n" * 500 + "needle" + "x" * 100_000 + "\n")
    result = call(engine, "search", pattern="needle")
    assert result.data["count"] == 200 and result.text.count("\n") == 200 and "there is more" in result.text
    (engine.root / "long").write_text("needle" + "x" * 100_000 + "\n")
    shortened = call(engine, "search", pattern="needle").text
    assert shortened.startswith("long:1:needlexxx") and len(shortened) < 500


def test_a_pattern_that_takes_for_ever_is_stopped(ctx: ToolContext) -> None:
    (ctx.root / "trap").write_text("a" * 60 + "\n")
    sandbox = Sandbox(ctx.root, env={"PATH": "/nowhere"}, limits=CommandLimits(wall_s=1))
    result = call(context_with(ctx, sandbox), "search", pattern="(a+)+$(?<=b)", path="trap")
    assert not result.ok and "took too long" in result.text


def test_names_that_are_not_text(ctx: ToolContext) -> None:
    (ctx.root / os.fsdecode(b"caf\xe9.py")).write_text("total\n")
    for name, arguments, shown in (
        ("list_files", {}, "caf?.py"),
        ("glob", {"pattern": "caf*"}, "caf?.py"),
        ("search", {"pattern": "total"}, "caf\ufffd.py"),
    ):
        result = call(ctx, name, **arguments)
        assert result.ok
        assert shown in result.text
        result.model_dump_json()
