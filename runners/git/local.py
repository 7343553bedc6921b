"""Read people's repositories on this machine.

They can be linked worktrees, shallow or partial clones, or belong to another account.
"""

from collections.abc import Sequence
from pathlib import Path

from runners.git.command import GitFailed, git
from runners.git.lfs import pointers_of, wanted
from runners.git.lfs_fetch import take_large_files
from runners.git.modules import take_modules
from runners.git.workspaces import Mirror


class NotARepository(GitFailed):
    """A path is not a git repository."""

    code = "SCN-3105"
    next_step = "Give the folder of a git repository or of one of its worktrees."


class HistoryMissing(GitFailed):
    """A repository on this machine lacks commits or files that are needed."""

    code = "SCN-3106"
    next_step = (
        "Fetch the whole history: `fetch-depth: 0` for actions/checkout, `GIT_DEPTH: 0` for GitLab CI, else "
        "`git fetch --unshallow`."
    )


class PartialClone(HistoryMissing):
    """A repository on this machine is a partial clone, which lacks files that are needed."""

    code = "SCN-3107"
    next_step = (
        "Clone it without `--filter` (and without `filter:` for actions/checkout), or fetch the files: "
        "`git fetch --refetch --no-filter`."
    )


class NoSuchCommit(GitFailed):
    """A repository on this machine does not have a commit that somebody named."""

    code = "SCN-3108"
    next_step = "Name a commit, branch or tag that exists. A new repository needs its first commit."


def git_dir_of(repo: Path) -> Path:
    """Return the git directory of a working tree, linked worktree, submodule or bare repository.

    Raises `NotARepository`.
    """
    link = repo.resolve() / ".git"
    if link.is_dir():
        return link
    if link.is_file():
        named = Path(link.read_text(errors="replace").removeprefix("gitdir:").strip())
        found = (link.parent / named).resolve()
        if (found / "HEAD").is_file():
            return found
        raise NotARepository(f"{link} names {named}, which is not a git directory.")
    if (repo / "HEAD").is_file() and (repo / "objects").is_dir():
        return repo.resolve()
    raise NotARepository(f"{repo} is not a git repository.")


def commit_of(git_dir: Path, name: str) -> str:
    """Return the id of the commit that `name` (a branch, a tag, ``HEAD~1``, an id) means in a repository.

    Raises `HistoryMissing` if the clone is shallow and lacks the commit, and `NoSuchCommit` if the
    repository does not have it.
    """
    try:
        return git("rev-parse", "--verify", "--end-of-options", f"{name}^{{commit}}", git_dir=git_dir)
    except GitFailed:
        if is_shallow(git_dir):
            raise HistoryMissing(
                f"This clone is shallow: it has only the newest commits, and {name} is not one of them."
            ) from None
        raise NoSuchCommit(f"{git_dir} has no commit {name}.") from None


def is_shallow(git_dir: Path) -> bool:
    """Return whether the repository lacks older commits."""
    return git("rev-parse", "--is-shallow-repository", git_dir=git_dir) == "true"


def bring(mirror: Mirror, git_dir: Path, commits: Sequence[str]) -> None:
    """Fetch commits, and the tags before them, from a repository on this machine into `mirror`.

    The submodules and the files of Git LFS that the repository has come too. Raises `PartialClone` and
    `GitFailed`.
    """
    refs = [f"{commit}:refs/scenarist/{number}" for number, commit in enumerate(commits)]
    with mirror.lock():
        try:
            fetch_refs(mirror.path, git_dir, refs)
            for commit in commits:
                git("rev-list", "--objects", "--quiet", "--no-walk", commit, git_dir=mirror.path)
        except GitFailed as error:
            if git("config", "--get-regexp", r"^remote\..*\.promisor$", git_dir=git_dir, check=False):
                raise PartialClone(
                    "This repository is a partial clone: files of its commits are missing."
                ) from error
            raise
    for commit in commits:
        take_outside(mirror, commit, git_dir)


def common_dir(git_dir: Path) -> Path:
    """Return the git directory that the linked worktrees of a repository share."""
    shared = git_dir / "commondir"
    return (git_dir / shared.read_text().strip()).resolve() if shared.is_file() else git_dir


def take_outside(mirror: Mirror, commit: str, git_dir: Path) -> None:
    """Take the submodules and files of Git LFS of `commit` that a repository on this machine has."""
    source = common_dir(git_dir)
    take_modules(mirror, commit, source)
    take_large_files(mirror.path, wanted(pointers_of(mirror.path, commit)), source)


def fetch_refs(into: Path, git_dir: Path, refs: Sequence[str]) -> None:
    """Fetch refspecs, and the tags before them, from one repository on this machine into another one.

    Raises `GitFailed`.
    """
    source = common_dir(git_dir)
    shallow = ("--update-shallow",) if is_shallow(git_dir) else ()
    git("fetch", "--quiet", *shallow, str(source), *refs, git_dir=into)
