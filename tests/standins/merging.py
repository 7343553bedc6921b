"""Merges and commits of pull requests in the bare repositories of the stand-ins."""

from pathlib import Path

from runners.git.command import git


def git_merge(bare: Path, base: str, head: str, message: str) -> str:
    """Merge `head` into the branch `base` with a commit of its own, whose hash is returned."""
    tree = git("rev-parse", f"{head}^{{tree}}", git_dir=bare)
    made = git("commit-tree", tree, "-p", base, "-p", head, "-m", message, git_dir=bare)
    git("update-ref", f"refs/heads/{base}", made, git_dir=bare)
    return made


def commits_of(bare: Path, base: str, head: str) -> list[tuple[str, str, str, list[str]]]:
    """(hash, author's email, title, parents) of the commits that `head` has and `base` had not, oldest first."""
    tip = git("rev-parse", head, git_dir=bare)
    merges = git("log", "--merges", "--format=%P", base, git_dir=bare).splitlines()
    before = next((line.split()[0] for line in merges if line.split()[1] == tip), base)
    form = "%H%x1f%ae%x1f%s%x1f%P"
    listed = git("log", "--reverse", f"--format={form}", f"{before}..{head}", git_dir=bare)
    rows = [line.split("\x1f") for line in listed.splitlines()]
    return [(sha, email, title, parents.split()) for sha, email, title, parents in rows]
