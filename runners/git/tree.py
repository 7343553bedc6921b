"""Run git in a folder that untrusted code may be changing at the same time."""

import os
import secrets
import stat
from pathlib import Path

from runners.git.command import GitFailed, git
from runners.sandbox.availability import available
from runners.sandbox.beneath import folders, set_mode
from runners.sandbox.bubblewrap import WORKSPACE
from runners.sandbox.mounts import HIDDEN, confined
from runners.sandbox.removal import remove_at

# Commands that read and write only the git directory, not the worktree.
_WITHOUT_TREE = frozenset(
    (
        "cat-file",
        "commit-tree",
        "for-each-ref",
        "merge-base",
        "rev-parse",
        "symbolic-ref",
        "update-ref",
        "write-tree",
    )
)


def git_in_tree(*args: str, mirror: Path, git_dir: Path, root: Path, exclude: Path) -> str:
    """Run ``git args…`` on the worktree `root`, whose git directory is `git_dir` in the repository `mirror`.

    `exclude` is a file with patterns of files that git does not add; it may be missing.

    Untrusted code can replace a path with a link after git has checked it. So git runs in a mount namespace
    in which a link leads to nothing of the host: it holds the worktree, and the repository at a path that
    cannot be guessed. On a machine without a sandbox, where commands are not confined either, git runs
    without this protection. Raises `GitFailed`.
    """
    command = next((word for word in args if not word.startswith("-")), "")
    if command in _WITHOUT_TREE:
        return git(*args, git_dir=git_dir)
    if available() is not None:
        return git(*args, git_dir=git_dir, work_tree=root, exclude=exclude)
    repository, patterns = (Path(HIDDEN) / secrets.token_hex(16) for _ in range(2))
    return git(
        *args,
        git_dir=repository / git_dir.relative_to(mirror),
        work_tree=Path(WORKSPACE),
        exclude=patterns,
        launcher=confined(
            "git", {WORKSPACE: root, str(repository): mirror}, WORKSPACE, read_only={str(patterns): exclude}
        ),
    )


def prepare_for_git(root: Path) -> None:
    """Remove nested git directories from the worktree `root`, and let git read its files and folders.

    The other files of a nested repository stay. No link is followed. Raises `GitFailed` if a nested git
    directory cannot be removed.
    """
    for path, fd, entries in folders(root):
        for entry in list(entries):
            if entry.name.lower() != ".git":
                _make_usable(fd, entry)
                continue
            entries.remove(entry)
            if path != ".":
                try:
                    remove_at(fd, entry.name)
                except OSError as error:
                    said = f"The nested repository {path}/{entry.name} cannot be removed: {error.strerror}."
                    raise GitFailed(said) from None


def _make_usable(folder: int, entry: os.DirEntry[str]) -> None:
    """Let the owner read a file or enter a folder, and clear a file's set-user-ID and set-group-ID bits."""
    try:
        mode = entry.stat(follow_symlinks=False).st_mode
        if stat.S_ISDIR(mode):
            usable = mode | stat.S_IRWXU
        elif stat.S_ISREG(mode):
            usable = (mode | stat.S_IRUSR) & ~(stat.S_ISUID | stat.S_ISGID)
        else:
            return
        if usable != mode:
            set_mode(folder, entry.name, stat.S_IMODE(usable))
    except (FileNotFoundError, PermissionError):
        return  # removed meanwhile, or of another account: git reports it if it needs the file
