"""Where a set's files come from, and what is refused."""

import json
from pathlib import Path

import pytest

from bot.evaluation.task_set import GitTree, PackageTree, RowTree, Tree
from bot.evaluation.trees import SourceUnavailable, Trees
from runners.git.command import git
from tests.support.harness import clone_of

ROWS = [
    {"id": "Python/1", "code": "def f():\n    return {1: 2}\n", "test": "assert f()\n"},
    {"id": "Python/2", "code": "x", "test": "y"},
]


@pytest.fixture
def trees(tmp_path: Path) -> Trees:
    files = {"a.py": "a", "tests/test_a.py": "t", "rows.jsonl": "\n".join(map(json.dumps, ROWS))}
    clone_of(files, tmp_path / "clones" / "owner" / "name")
    return Trees(tmp_path / "cache", tmp_path, clones=tmp_path / "clones", unsafe=False)


def of(url: str = "https://example.org/owner/name", commit: str = "trunk") -> GitTree:
    return GitTree(url=url, commit=commit)


def test_a_commit_is_taken_from_a_clone_instead_of_the_network(trees: Trees, tmp_path: Path) -> None:
    assert set(trees.files(Tree(git=of(), remove=("rows.jsonl",)))) == {"a.py", "tests/test_a.py"}
    assert list(trees.files(Tree(git=of(), keep=("tests/**",)))) == ["tests/test_a.py"]
    clone = tmp_path / "clones" / "owner" / "name"
    first = git("rev-parse", "HEAD", git_dir=clone / ".git")
    (clone / "a.py").write_text("b")
    git("commit", "--quiet", "--all", "--message", "More", git_dir=clone / ".git", work_tree=clone)
    assert trees.files(Tree(git=of(commit=first)))["a.py"].data == b"a"
    assert trees.files(Tree(git=of(commit="HEAD")))["a.py"].data == b"b"


def test_a_row_becomes_files(trees: Trees) -> None:
    row = RowTree(
        git=of(), path="rows.jsonl", key="id", row="Python/1", texts={"f.py": "{code}", "t.py": "{test}{no}"}
    )
    found = trees.files(Tree(row=row))
    assert found["f.py"].data.decode() == ROWS[0]["code"] and found["t.py"].data == b"assert f()\n{no}"
    with pytest.raises(SourceUnavailable, match="no row whose id is Python/9"):
        trees.files(Tree(row=row.model_copy(update={"row": "Python/9"})))


def test_a_folder_beside_the_set(trees: Trees, tmp_path: Path) -> None:
    (tmp_path / "task" / "sub").mkdir(parents=True)
    (tmp_path / "task" / "sub" / "run.sh").write_text("echo")
    (tmp_path / "task" / "sub" / "run.sh").chmod(0o755)
    (tmp_path / "task" / "link").symlink_to("/etc/passwd")
    found = trees.files(Tree(folder="task"))
    assert list(found) == ["sub/run.sh"] and found["sub/run.sh"].executable


@pytest.mark.parametrize(
    ("tree", "said"),
    [
        (Tree(texts={"../a": "x"}), "is not the path of a file"),
        (Tree(texts={".git/config": "x"}), "is not the path of a file"),
        (Tree(folder="nowhere"), "no folder nowhere"),
        (Tree(texts={"a": "x"}, keep=("b",)), "None of the files"),
        (Tree(git=of(commit="0" * 40)), "has no commit"),
        (Tree(git=of(url="ssh://example.org/x")), "neither an https address"),
        (Tree(git=of(url="ext::sh -c id")), "neither an https address"),
    ],
)
def test_what_cannot_be_taken_is_said(trees: Trees, tree: Tree, said: str) -> None:
    with pytest.raises(SourceUnavailable, match=said):
        trees.files(tree)


def test_a_kept_archive_is_not_downloaded_again(trees: Trees, tmp_path: Path) -> None:
    import io
    import tarfile

    package = PackageTree(name="x", version="1", sha256="0" * 64)
    place = tmp_path / "cache" / "packages" / f"x-1-{'0' * 16}.tar.gz"
    place.parent.mkdir(parents=True)
    with tarfile.open(place, "w:gz") as archive:
        for name in ("x-1/x.py", "x-1/PKG-INFO", "x-1/x.egg-info/SOURCES.txt", "x-1/../up.py"):
            member = tarfile.TarInfo(name)
            member.size = 1
            archive.addfile(member, io.BytesIO(b"1"))
    with pytest.raises(SourceUnavailable, match="is not the path of a file"):
        trees.files(Tree(package=package))
    with tarfile.open(place, "w:gz") as archive:
        for name in ("x-1/x.py", "x-1/PKG-INFO", "x-1/x.egg-info/SOURCES.txt"):
            member = tarfile.TarInfo(name)
            member.size = 1
            archive.addfile(member, io.BytesIO(b"1"))
    assert list(trees.files(Tree(package=package))) == ["x.py"]
