"""Bringing a branch up to date with its target, in a repository without any checkout."""

from pathlib import Path
from typing import NamedTuple

from runners.git.command import GitFailed, git, is_ancestor


class Updated(NamedTuple):
    """The branch's new `commit`, and the files of it that hold conflict markers."""

    commit: str
    conflicts: tuple[str, ...] = ()


def is_up_to_date(git_dir: Path, head: str, target: str) -> bool:
    """Return whether the branch `head` has everything of `target` already."""
    return is_ancestor(git_dir, target, head)


def merged(git_dir: Path, head: str, target: str, message: str) -> Updated:
    """Return a merge of `target` into `head`. Raises `GitFailed`.

    A file that cannot be merged holds both versions between conflict markers, as after `git merge`.
    """
    tree, conflicts = _merge_tree(git_dir, head, target)
    commit = git("commit-tree", tree, "-p", head, "-p", target, "-m", message, git_dir=git_dir)
    return Updated(commit, conflicts)


def rebased(git_dir: Path, head: str, target: str) -> Updated | None:
    """Return the commits of `head` one after the other on `target`, each with its author, date and message.

    None where one of them conflicts or is a merge: history is not rewritten then. A commit whose change
    `target` has already is left out. Raises `GitFailed`.
    """
    commits = git("rev-list", "--reverse", "--topo-order", f"{target}..{head}", git_dir=git_dir).split()
    tip = target
    for commit in commits:
        parents = git("rev-parse", f"{commit}^@", git_dir=git_dir).split()
        if len(parents) != 1:
            return None
        # `merge-tree` takes the common ancestor from the history, so `tip` is shown as a child of the parent.
        child = git("commit-tree", f"{tip}^{{tree}}", "-p", parents[0], "-m", "x", git_dir=git_dir)
        tree, conflicts = _merge_tree(git_dir, child, commit)
        if conflicts:
            return None
        if tree == git("rev-parse", f"{tip}^{{tree}}", git_dir=git_dir):
            continue
        tip = _copied(git_dir, commit, tree, tip)
    return Updated(tip)


def _merge_tree(git_dir: Path, ours: str, theirs: str) -> tuple[str, tuple[str, ...]]:
    """Return (tree, files with conflicts). https://git-scm.com/docs/git-merge-tree"""
    merging = ("merge-tree", "--write-tree", "--name-only", "--no-messages", "-z", ours, theirs)
    try:
        out = git(*merging, git_dir=git_dir)
    except GitFailed as error:
        if error.status != 1:
            raise
        tree, *paths = error.output.split("\0")
        return tree.strip(), tuple(sorted({path for path in paths if path}))
    return out.strip("\0\n"), ()


def _copied(git_dir: Path, commit: str, tree: str, parent: str) -> str:
    """Return a commit like `commit` with another tree and parent."""
    form = "%an%x00%ae%x00%aI%x00%B"
    shown = git("show", "--no-patch", f"--format={form}", commit, git_dir=git_dir)
    name, mail, date, text = shown.split("\0", 3)
    author = {"GIT_AUTHOR_NAME": name, "GIT_AUTHOR_EMAIL": mail, "GIT_AUTHOR_DATE": date}
    return git("commit-tree", tree, "-p", parent, "-m", text.strip("\n"), git_dir=git_dir, env=author)
