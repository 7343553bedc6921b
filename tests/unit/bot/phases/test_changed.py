"""Changed files that reviewers are told of: what is neither source, tests nor documentation."""

from pathlib import Path

from bot.phases.changed import unexpected_files
from runners.git.command import git

BEFORE = {
    "pyproject.toml": "a",
    "shop/cart.py": "a",
    "old.cfg": "a",
    "shop/run.py": "a",
    "data/prices.csv": "a",
}
EXPECTED = {
    "shop/cart.py",
    "shop/new.py",
    "web/page.html",
    "tests/test_cart.py",
    "docs/guide.md",
    "README.md",
}
# What runs or builds the product outside of its tests.
OUTSIDE = (
    "Dockerfile",
    "deploy/Dockerfile.prod",
    "Procfile",
    ".python-version",
    "CMakeLists.txt",
    "fly.toml",
)
AFTER = {
    **dict.fromkeys(EXPECTED, "b"),
    **dict.fromkeys(
        ["pyproject.toml", "data/prices.csv", "Makefile", ".tool/settings.json", "requirements/dev.txt"], "b"
    ),
    **dict.fromkeys(OUTSIDE, "b"),
    "features/steps/cart_steps.py": "b",
    "shop/run.py": "a",
}


def commit(tree: Path, files: dict[str, str]) -> str:
    for path, text in files.items():
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_text(text)
    git("add", "--all", git_dir=tree / ".git", work_tree=tree)
    git("commit", "--quiet", "--message", "m", git_dir=tree / ".git", work_tree=tree)
    return git("rev-parse", "HEAD", git_dir=tree / ".git")


def test_only_what_nobody_expects_is_named(tmp_path: Path) -> None:
    git("init", "--quiet", str(tmp_path), git_dir=tmp_path / ".git")
    base = commit(tmp_path, BEFORE)
    (tmp_path / "old.cfg").unlink()
    (tmp_path / "shop" / "run.py").chmod(0o755)
    (tmp_path / "shop" / "link.py").symlink_to("cart.py")
    head = commit(tmp_path, AFTER)
    found = dict(unexpected_files(tmp_path / ".git", base, head, "features"))
    assert found == {
        **dict.fromkeys(OUTSIDE, ""),
        "pyproject.toml": "",
        "data/prices.csv": "",
        "Makefile": "",
        ".tool/settings.json": "",
        "requirements/dev.txt": "",
        "old.cfg": "deleted",
        "shop/run.py": "made executable",
        "shop/link.py": "a link",
    }
