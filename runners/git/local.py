"""Repositories on this machine, as people have them: linked worktrees, shallow and partial clones, somebody
else's files."""

from collections.abc import Sequence
from pathlib import Path

from runners.git.command import GitFailed, git
from runners.git.workspaces import Mirror


class NotARepository(GitFailed):
    """There is no git repository at a path."""

    code = "SCN-3105"
    next_step = "Give the folder of a git repository, or of one of its worktrees."


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


def git_dir_of(repo: Path) -> Path:
    """The git directory of a working tree, of a linked worktree or submodule, or of a bare repository.

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
        raise NotARepository(f"{link} names {named}, and there is no git directory.")
    if (repo / "HEAD").is_file() and (repo / "objects").is_dir():
        return repo.resolve()
    raise NotARepository(f"{repo} is no git repository.")


def commit_of(git_dir: Path, name: str) -> str:
    """The id of the commit that `name` (a branch, a tag, ``HEAD~1``, an id) stands for in a repository on
    this machine.

    Raises `HistoryMissing` where only a part of the history is there, and `GitFailed`.
    """
    try:
        return git("rev-parse", "--verify", "--end-of-options", f"{name}^{{commit}}", git_dir=git_dir)
    except GitFailed:
        if is_shallow(git_dir):
            raise HistoryMissing(
                f"{name} is not in this clone, which is shallow: it has only the newest commits."
            ) from None
        raise GitFailed(f"{name} is not a commit of {git_dir}.") from None


def is_shallow(git_dir: Path) -> bool:
    """Whether the repository lacks older commits."""
    return git("rev-parse", "--is-shallow-repository", git_dir=git_dir) == "true"


def bring(mirror: Mirror, git_dir: Path, commits: Sequence[str]) -> None:
    """Fetch commits, and the tags before them, from a repository on this machine into `mirror`.

    Raises `PartialClone` and `GitFailed`.
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


def fetch_refs(into: Path, git_dir: Path, refs: Sequence[str]) -> None:
    """Fetch refspecs, and the tags before them, from one repository on this machine into another one.

    Raises `GitFailed`.
    """
    shared = git_dir / "commondir"
    source = (git_dir / shared.read_text().strip()).resolve() if shared.is_file() else git_dir
    shallow = ("--update-shallow",) if is_shallow(git_dir) else ()
    git("fetch", "--quiet", *shallow, str(source), *refs, git_dir=into)
