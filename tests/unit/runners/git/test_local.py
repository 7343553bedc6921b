"""Repositories as people have them: shallow, partial, linked, old, somebody else's, with branches that were
renamed."""

import os
import subprocess
from pathlib import Path

import pytest

from runners.git.command import GitFailed, _cause_in
from runners.git.local import (
    HistoryMissing,
    NoSuchCommit,
    NotARepository,
    PartialClone,
    bring,
    commit_of,
    git_dir_of,
)
from runners.git.versions import version_of
from runners.git.workspaces import Mirror, Workspaces

ENV = {
    **os.environ,
    "GIT_CONFIG_GLOBAL": "/dev/null",
    **{f"GIT_{who}_{what}": "x@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
}


def run(*words: str, cwd: Path, given: str = "") -> str:
    done = subprocess.run(
        ["git", *words], cwd=cwd, env=ENV, input=given, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    """A repository with two commits, a tag at the first one."""
    path = tmp_path / "repo"
    path.mkdir()
    run("init", "-q", "-b", "main", cwd=path)
    for number in (1, 2):
        (path / "a.txt").write_text(f"{number}\n")
        run("add", ".", cwd=path)
        run("commit", "-qm", f"{number}", cwd=path)
    run("tag", "v1.4.0", "HEAD~1", cwd=path)
    return path


@pytest.fixture
def mirror(tmp_path: Path) -> Mirror:
    return Workspaces(tmp_path / "state").mirror("local", "o/r")


def test_commits_come_with_the_tags_before_them(repo: Path, mirror: Mirror) -> None:
    head = commit_of(git_dir_of(repo), "main")
    bring(mirror, git_dir_of(repo), [head])
    assert mirror.has(head) and version_of(mirror.path, head) == "1.4.1.dev1"


def test_a_linked_worktree_is_a_repository_with_a_head_of_its_own(repo: Path, mirror: Mirror) -> None:
    linked = repo.parent / "linked"
    run("worktree", "add", "-q", "--detach", str(linked), "HEAD~1", cwd=repo)
    git_dir = git_dir_of(linked)
    commit = commit_of(git_dir, "HEAD")
    assert commit == run("rev-parse", "main~1", cwd=repo)
    bring(mirror, git_dir, [commit])
    assert mirror.has(commit)
    with pytest.raises(NotARepository):
        git_dir_of(repo.parent)


def test_a_shallow_clone_serves_what_it_has_and_says_how_to_get_the_rest(repo: Path, mirror: Mirror) -> None:
    run("clone", "-q", "--depth", "1", f"file://{repo}", "shallow", cwd=repo.parent)
    git_dir = git_dir_of(repo.parent / "shallow")
    head = commit_of(git_dir, "HEAD")
    bring(mirror, git_dir, [head])
    assert mirror.has(head)
    with pytest.raises(HistoryMissing, match="shallow.*fetch-depth: 0"):
        commit_of(git_dir, "HEAD~1")
    with pytest.raises(GitFailed) as refused:
        commit_of(git_dir_of(repo), "nothing")
    assert not isinstance(refused.value, HistoryMissing)


def test_a_partial_clone_that_lacks_files_is_named(repo: Path, mirror: Mirror) -> None:
    run("config", "uploadpack.allowFilter", "true", cwd=repo)
    run("clone", "-q", "--no-checkout", "--filter=blob:none", f"file://{repo}", "partial", cwd=repo.parent)
    repo.rename(repo.parent / "gone")
    git_dir = git_dir_of(repo.parent / "partial")
    with pytest.raises(PartialClone, match="refetch"):
        bring(mirror, git_dir, [commit_of(git_dir, "HEAD")])


def test_a_repository_of_another_account_is_read(
    repo: Path, mirror: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    done = subprocess.run(
        ["git", "log"],
        cwd=repo,
        env={**ENV, "GIT_TEST_ASSUME_DIFFERENT_OWNER": "1"},
        capture_output=True,
        text=True,
    )
    assert "dubious ownership" in done.stderr, "git itself refuses"
    head = commit_of(git_dir_of(repo), "main")
    bring(mirror, git_dir_of(repo), [head])
    assert mirror.fetch(str(repo), "", ["main"]) == {"main": head}


def test_old_malformed_objects_are_fetched(repo: Path, mirror: Mirror) -> None:
    tree = run("rev-parse", "HEAD^{tree}", cwd=repo)
    text = (
        f"tree {tree}\nauthor A <a@example.org> 1200000000 +051800\ncommitter A <a@example.org> "
        "1200000000 +0100\n\nold\n"
    )
    old = run("hash-object", "-t", "commit", "-w", "--stdin", "--literally", cwd=repo, given=text)
    # Old programs wrote the mode of a folder with a zero in front.
    entry = b"0040000 folder\0" + bytes.fromhex(tree)
    padded = subprocess.run(
        ["git", "hash-object", "-t", "tree", "-w", "--stdin", "--literally"],
        cwd=repo,
        input=entry,
        env=ENV,
        capture_output=True,
        check=True,
    ).stdout.decode()
    older = run("commit-tree", padded.strip(), "-p", old, "-m", "older", cwd=repo)
    tip = run("commit-tree", tree, "-p", older, "-m", "new", cwd=repo)
    run("update-ref", "refs/heads/main", tip, cwd=repo)
    assert mirror.fetch(str(repo), "", ["main"]) == {"main": tip}
    bundle = mirror.bundle_commit(tip, "refs/scenarist/x", base=None)
    other = Mirror(mirror.path.parent / "other.git")
    assert other.unbundle(bundle, "refs/scenarist/x", fsck=False) == tip


def test_a_branch_whose_name_is_in_the_way_of_another_one_is_forgotten(repo: Path, mirror: Mirror) -> None:
    run("branch", "next", cwd=repo)
    mirror.fetch(str(repo), "", ["next"])
    run("branch", "-m", "next", "next/one", cwd=repo)
    assert set(mirror.fetch(str(repo), "", ["next/one"])) == {"next/one"}
    run("branch", "-m", "next/one", "next", cwd=repo)
    assert set(mirror.fetch(str(repo), "", ["next"])) == {"next"}


def test_the_message_is_what_tells_the_cause() -> None:
    said = (
        "Warning: Permanently added 'x' to the list of known hosts.\nremote: Repository not found.\n"
        "fatal: Could not read from remote repository.\n\nPlease make sure you have the correct access "
        "rights\n"
        "and the repository exists.\n"
    )
    assert _cause_in(said) == "remote: Repository not found"
    assert _cause_in("error: object 1: badTimezone\nfatal: fsck error in packed object\nhint: x") == (
        "error: object 1: badTimezone / fatal: fsck error in packed object"
    )
    assert _cause_in("only this\n") == "only this" and _cause_in("") == "it said nothing"


@pytest.mark.parametrize(
    ("tag", "after", "version"),
    [
        ("v2.0", 0, "2.0"),
        ("v2.0", 1, "2.1.dev1"),
        ("pkg-3.1rc1", 0, "3.1rc1"),
        ("3.1rc1", 2, "3.2.dev2"),
        ("latest1", 0, "7.8"),
    ],
)
def test_the_version_follows_from_the_newest_tag(repo: Path, tag: str, after: int, version: str) -> None:
    run("tag", "-d", "v1.4.0", cwd=repo)
    run("tag", tag, cwd=repo)
    for _ in range(after):
        run("commit", "-qm", "x", "--allow-empty", cwd=repo)
    assert version_of(repo / ".git", "HEAD", "Version: 7.8\n") == version


def test_a_repository_without_a_commit_says_what_it_needs(tmp_path: Path) -> None:
    run("init", "--quiet", "new", cwd=tmp_path)
    git_dir = git_dir_of(tmp_path / "new")
    with pytest.raises(NoSuchCommit, match="has no commit HEAD") as caught:
        commit_of(git_dir, "HEAD")
    assert "first commit" in caught.value.next_step
