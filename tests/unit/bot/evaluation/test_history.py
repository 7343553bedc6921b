"""Changes of a repository's history as tasks."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from bot.evaluation.history import changes, task_of
from bot.evaluation.trees import Trees
from runners.git.command import git
from tests.support.harness import clone_of


class History:
    """A repository to commit to."""

    def __init__(self, tree: Path) -> None:
        self.tree = clone_of({"calc.py": "a", "tests/test_calc.py": "t", "docs/x.md": "d"}, tree)
        self.git_dir = tree / ".git"

    def commit(self, files: Mapping[str, str], message: str, *parents: str) -> str:
        """Commit `files` on the branch, with further parents."""
        for path, text in files.items():
            (self.tree / path).write_text(text)
        git("add", "--all", git_dir=self.git_dir, work_tree=self.tree)
        written = git("write-tree", git_dir=self.git_dir)
        head = git("rev-parse", "HEAD", git_dir=self.git_dir)
        all_parents = [word for each in (head, *parents) for word in ("-p", each)]
        made = git("commit-tree", written, *all_parents, "-m", message, git_dir=self.git_dir)
        git("update-ref", "HEAD", made, git_dir=self.git_dir)
        return made


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(tmp_path / "repo")


WORK = {"calc.py": "b", "tests/test_calc.py": "u"}


@pytest.mark.parametrize(
    ("message", "name", "title", "text"),
    [
        ("Add doubling (#12)\n\nIt was missing.", "pull-12", "Add doubling", "It was missing."),
        ("Merge pull request #13 from ada/x\n\nAdd doubling\n\nMore.", "pull-13", "Add doubling", "More."),
        (
            "Merge branch 'x' into 'main'\n\nAdd doubling\n\nMore.\n\nSee merge request a/b!14",
            "pull-14",
            "Add doubling",
            "More.",
        ),
        ("Add doubling\n\nSigned-off-by: Ada <ada@example.org>", "", "Add doubling", ""),
    ],
)
def test_a_change_with_tests_is_a_task(
    history: History, tmp_path: Path, message: str, name: str, title: str, text: str
) -> None:
    base = git("rev-parse", "HEAD", git_dir=history.git_dir)
    made = history.commit(WORK, message)
    (change,) = changes(history.git_dir, "HEAD", 10)
    task = task_of(history.git_dir, str(history.git_dir), change, most_files=3)
    assert task is not None and task.id == (name or made[:10])
    assert task.issue == f"{title}\n\n{text}".strip() + "\n"
    assert task.base.git is not None and task.base.git.commit == base
    trees = Trees(tmp_path / "cache", Path(), clones=None, unsafe=False)
    assert trees.files(task.base)["calc.py"].data == b"a"
    assert task.hidden is not None
    assert {path: file.data for path, file in trees.laid(task.hidden.files).items()} == {
        "tests/test_calc.py": b"u"
    }
    assert {path: file.data for path, file in trees.laid(task.fix).items()} == {"calc.py": b"b"}


@pytest.mark.parametrize(
    ("files", "most"),
    [
        ({"calc.py": "b"}, 3),
        ({"tests/test_calc.py": "u"}, 3),
        ({"docs/x.md": "e"}, 3),
        (WORK | {"new.py": "n"}, 1),
    ],
)
def test_other_changes_are_none(history: History, files: Mapping[str, str], most: int) -> None:
    history.commit(files, "Change it")
    (change,) = changes(history.git_dir, "HEAD", 10)
    assert task_of(history.git_dir, "x", change, most_files=most) is None


def test_a_merged_pull_request_is_one_change(history: History) -> None:
    first = git("rev-parse", "HEAD", git_dir=history.git_dir)
    side = history.commit({"calc.py": "side"}, "Begin")
    git("update-ref", "HEAD", first, git_dir=history.git_dir)
    history.commit(WORK, "Merge pull request #3 from ada/x\n\nFix doubling", side)
    found = list(changes(history.git_dir, "HEAD", 10))
    assert [(each.title, each.number, each.parent) for each in found] == [("Fix doubling", 3, first)]
    task = task_of(history.git_dir, "x", found[0], most_files=3)
    assert task is not None and task.kind == "bug"
