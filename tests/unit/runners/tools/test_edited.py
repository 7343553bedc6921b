"""What a repository's own checks say of a file that was just changed."""

from pathlib import Path

import pytest

from runners.tools.edited import RUFF, EditChecks, detected
from tests.support.tool_context import asked, caller, context


def test_ruff_is_found_where_it_is_configured() -> None:
    assert detected("[tool.ruff]\nline-length = 90\n") == {"**/*.py": RUFF}
    assert detected("[tool.black]\n") == {}
    assert detected("[tool") == {}
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
