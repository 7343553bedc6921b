"""Files of a commit are read once, and exactly as git has them."""

from pathlib import Path
from typing import Any

import pytest

from runners.git import command
from runners.git.command import GitFailed, git, list_files, read_blob, tree_entries, tree_of
from runners.git.recent import Recent
from tests.support.harness import clone_of

FILES = {
    "a.txt": "one\n",
    "x\ta.txt": "another\n",
    "sub/b.txt": " two\n",
    "sub/deep/c.txt": "",
    "subway": "no\n",
}


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return clone_of(FILES, tmp_path) / ".git"


def test_a_file_is_found_by_its_whole_path_alone(repository: Path) -> None:
    for commit in ("HEAD", git("rev-parse", "HEAD", git_dir=repository)):
        for path, text in FILES.items():
            assert read_blob(repository, commit, path) == text.encode()
        for path in ("", ".", "txt", "b.txt", "sub", "sub/", "/a.txt", "a.txt\0sub/b.txt", "b.txt\0"):
            assert read_blob(repository, commit, path) is None, path


def test_files_are_listed_below_folders_and_at_paths(repository: Path) -> None:
    assert list_files(repository, "HEAD") == sorted(FILES)
    for folder in ("sub", "sub/"):
        assert list_files(repository, "HEAD", folder) == ["sub/b.txt", "sub/deep/c.txt"]
    found = tree_entries(repository, "HEAD", "a.txt", "sub/deep", "missing")
    assert [entry.path for entry in found] == ["a.txt", "sub/deep/c.txt"]
    with pytest.raises(GitFailed):
        tree_entries(repository, "0" * 40)


def test_a_named_commit_is_read_once_and_a_name_each_time(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def noted(*args: str, **more: Any) -> str:
        asked.append(args[0])
        return git(*args, **more)

    commit = git("rev-parse", "HEAD", git_dir=repository)
    assert read_blob(repository, "0" * 40, "a.txt") is None
    monkeypatch.setattr(command, "git", noted)
    for _ in range(3):
        assert read_blob(repository, commit, "sub/b.txt") == b" two\n"
        assert list_files(repository, commit, "sub") == ["sub/b.txt", "sub/deep/c.txt"]
        assert tree_of(repository, commit) == tree_of(repository, "HEAD")
    assert asked == ["ls-tree", "cat-file", *["rev-parse"] * 4]
    list_files(repository, "HEAD")
    list_files(repository, "HEAD")
    assert asked[6:] == ["ls-tree", "ls-tree"]


def test_only_what_was_used_last_is_kept() -> None:
    recent = Recent(5)
    read: list[str] = []

    def get(key: str, text: str) -> str:
        def reading() -> str:
            read.append(key)
            return text

        return recent.get(key, reading)

    for key, text in (("a", "aa"), ("b", "bb"), ("a", "aa"), ("c", "cc"), ("a", "aa"), ("b", "bb")):
        assert get(key, text) == text
    assert read == ["a", "b", "c", "b"], "b was used before a"
    assert get("huge", "h" * 6) == get("huge", "h" * 6) == "h" * 6
    assert get("a", "aa") == "aa" and read == ["a", "b", "c", "b", "huge", "huge", "a"]
