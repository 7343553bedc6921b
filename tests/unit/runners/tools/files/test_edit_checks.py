"""What a repository's own checks say of a file that was just changed."""

from pathlib import Path

import pytest

from runners.tools.files.edit_checks import RUFF, EditChecks, detected
from tests.support.tool_context import asked, caller, context


def test_ruff_is_found_where_it_is_configured() -> None:
    assert detected("[tool.ruff]\nline-length = 90\n") == {"**/*.py": RUFF}
    assert detected("[tool.black]\n") == {}
    assert detected("[tool") == {}
    assert detected("", own_file=True) == {"**/*.py": RUFF}
    assert detected("tool = 1\n") == {}


@pytest.mark.parametrize(
    ("rules", "path", "words"),
    [
        ({"**/*.py": RUFF}, "a.py", "F401"),
        ({"**/*.py": RUFF}, "src/a.py", "F401"),
        ({"**/*.py": RUFF}, "good.py", ""),
        ({"**/*.js": "eslint {path}"}, "a.py", ""),
        ({"*.py": "not-installed {path}"}, "a.py", ""),
        ({"*.py": "echo {path} is odd; exit 3"}, "a.py", "a.py is odd"),
        ({"*.py": "exit 3"}, "gone.py", ""),
        ({"*.py": "cat {path}; exit 3"}, "it's $(touch x).py", "import"),
    ],
)
def test_what_the_checks_say(tmp_path: Path, rules: dict[str, str], path: str, words: str) -> None:
    ctx = context(tmp_path)
    (ctx.root / "src").mkdir()
    for name in ("a.py", "src/a.py", "it's $(touch x).py"):
        (ctx.root / name).write_text("import os\n")
    (ctx.root / "good.py").write_text("import os\n\nprint(os.sep)\n")
    said = EditChecks(ctx.sandbox, rules)([path])
    assert bool(said) == bool(words)
    assert words in said
    assert not (ctx.root / "x").exists()


def test_what_they_say_is_part_of_the_answer(tmp_path: Path) -> None:
    ctx = context(tmp_path)
    tools = caller(ctx, edited=EditChecks(ctx.sandbox, {"**/*.py": RUFF}))
    wrote, read = tools.run(
        [asked("write_file", path="a.py", content="import os\n"), asked("read_file", path="a.py")], None
    )
    assert wrote.ok and "`ruff check" in wrote.text and "F401" in wrote.text
    assert "F401" not in read.text


def test_only_what_is_new_is_said(tmp_path: Path) -> None:
    ctx = context(tmp_path)
    (ctx.root / "pkg").mkdir()
    before = "import os\nimport sys\n"
    checks = EditChecks(ctx.sandbox, {"**/*.py": RUFF}, {"pkg/a.py": before.encode()}.get)
    edited = "\n\nimport json\n" + before
    (ctx.root / "pkg" / "a.py").write_text(edited)
    said = checks(["pkg/a.py"])
    assert "`json` imported but unused" in said and "`os`" not in said and "`sys`" not in said
    assert (ctx.root / "pkg" / "a.py").read_text() == edited
    assert "`os`" in EditChecks(ctx.sandbox, {"**/*.py": RUFF})(["pkg/a.py"])  # the control
    (ctx.root / "pkg" / "a.py").write_text("x = 1\n" + before)
    assert checks(["pkg/a.py"]) == ""


def test_the_repositorys_own_settings_decide(tmp_path: Path) -> None:
    ctx = context(tmp_path)
    (ctx.root / "a.py").write_text("import os\n\nprint(1)  # " + 60 * "x" + "\n")
    assert "F401" in EditChecks(ctx.sandbox, {"**/*.py": RUFF})(["a.py"])
    settings = '[tool.ruff]\nline-length = 40\nlint.select = ["E501"]\n'
    (ctx.root / "pyproject.toml").write_text(settings)
    said = EditChecks(ctx.sandbox, detected(settings))(["a.py"])
    assert "E501" in said and "F401" not in said


def test_the_same_finding_once_more_is_new(tmp_path: Path) -> None:
    ctx = context(tmp_path)
    checks = EditChecks(ctx.sandbox, {"*.txt": "grep -n bad {path} && exit 1"}, lambda _path: b"bad\n")
    (ctx.root / "a.txt").write_text("good\nbad\n")
    assert checks(["a.txt"]) == ""
    (ctx.root / "a.txt").write_text("good\nbad\nbad\n")
    assert checks(["a.txt"]).endswith("says:\n3:bad")


def test_scratch_steps_are_not_checked(tmp_path: Path) -> None:
    ctx = context(tmp_path)
    checks = EditChecks(ctx.sandbox, {"**/*.py": "echo odd; exit 1"})
    for path in (".scenarist/shadow/steps/a.py", "steps/a.py"):
        (ctx.root / path).parent.mkdir(parents=True)
        (ctx.root / path).touch()
    assert checks([".scenarist/shadow/steps/a.py"]) == "" and "odd" in checks(["steps/a.py"])
