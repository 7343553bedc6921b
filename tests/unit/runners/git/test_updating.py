"""A branch is brought up to date with its target: merged or rebased, with and without conflicts."""

from pathlib import Path

import pytest

from runners.git.command import TreeEntry, commit_on, git, read_blob, store_blob
from runners.git.updating import is_up_to_date, merged, rebased


class History:
    """A bare repository; `commit` makes one with files on a parent."""

    def __init__(self, folder: Path) -> None:
        self.path = folder
        git("init", "--quiet", "--bare", str(folder), git_dir=folder)
        empty = git("hash-object", "-t", "tree", "-w", "--stdin", git_dir=folder, stdin=b"")
        root = git("commit-tree", empty, "-m", "root", git_dir=folder)
        self.base = self.commit(root, "base", a="1\n2\n3\n", b="x\n")

    def commit(self, parent: str, message: str, **files: str) -> str:
        added = [
            TreeEntry("100644", store_blob(self.path, text.encode()), name) for name, text in files.items()
        ]
        return commit_on(self.path, parent, message, added=added)

    def show(self, commit: str, path: str) -> str:
        return (read_blob(self.path, commit, path) or b"").decode()

    def log(self, commit: str, form: str = "%s") -> list[str]:
        return git("log", f"--format={form}", commit, git_dir=self.path).splitlines()


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(tmp_path / "r.git")


def test_a_merge_has_both_parents_and_both_changes(history: History) -> None:
    head = history.commit(history.base, "ours", a="one\n2\n3\n")
    target = history.commit(history.base, "theirs", a="1\n2\nthree\n")
    assert not is_up_to_date(history.path, head, target)
    found = merged(history.path, head, target, "Merge")
    assert found.conflicts == () and history.show(found.commit, "a") == "one\n2\nthree\n"
    parents = git("rev-parse", f"{found.commit}^@", git_dir=history.path).split()
    assert parents == [head, target] and is_up_to_date(history.path, found.commit, target)


def test_a_conflict_leaves_markers_and_names_the_file(history: History) -> None:
    head = history.commit(history.base, "ours", a="one\n2\n3\n", b="y\n")
    target = history.commit(history.base, "theirs", a="uno\n2\n3\n")
    found = merged(history.path, head, target, "Merge")
    assert found.conflicts == ("a",)
    text = history.show(found.commit, "a")
    assert text.startswith("<<<<<<<") and "one\n=======\nuno\n>>>>>>>" in text
    assert history.show(found.commit, "b") == "y\n"


def test_a_rebase_keeps_each_commit_with_its_author_and_drops_what_is_there_already(history: History) -> None:
    author = {"GIT_AUTHOR_NAME": "Wim", "GIT_AUTHOR_EMAIL": "wim@example.org"}
    one = history.commit(history.base, "first\n\nTrailer: 1", a="one\n2\n3\n")
    tree = git("rev-parse", f"{history.commit(one, 'x', c='new')}^{{tree}}", git_dir=history.path)
    two = git("commit-tree", tree, "-p", one, "-m", "second", git_dir=history.path, env=author)
    head = history.commit(two, "same as theirs", b="z\n")
    target = history.commit(history.base, "theirs", b="z\n")
    found = rebased(history.path, head, target)
    assert found is not None and found.conflicts == ()
    assert history.log(found.commit)[:3] == ["second", "first", "theirs"]
    assert history.log(found.commit, "%an")[0] == "Wim"
    assert "Trailer: 1" in git("log", "-1", "--format=%B", f"{found.commit}^", git_dir=history.path)
    assert (history.show(found.commit, "a"), history.show(found.commit, "c")) == ("one\n2\n3\n", "new")


def test_a_rebase_with_a_conflict_or_a_merge_is_none(history: History) -> None:
    head = history.commit(history.base, "ours", a="one\n2\n3\n")
    target = history.commit(history.base, "theirs", a="uno\n2\n3\n")
    assert rebased(history.path, head, target) is None
    other = history.commit(history.base, "other", b="q\n")
    both = merged(history.path, head, other, "Merge").commit
    later = history.commit(other, "later", c="c\n")
    assert rebased(history.path, both, later) is None
