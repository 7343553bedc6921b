"""A command that swaps a folder and a link in an endless loop, while the host works in the same tree.

Each test has a control: the plain way of doing the same, which the race leads out of the workspace.
"""

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from runners.git.command import GitFailed, git
from runners.git.model_git import GitRefused, TreeGit
from runners.git.tree import prepare_for_git
from runners.git.workspaces import Worktree
from runners.sandbox.beneath import copy_in, folders, put_file, read_file
from runners.sandbox.removal import remove_tree
from runners.sandbox.watch import size_of

FILES = 40
# The control stops as soon as the race is won; this only ends a test in which it never is.
TRIES = 3000
SWAP = """
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
place, evil = map(os.fsencode, sys.argv[1:])
print("swapping", flush=True)
while True:  # RENAME_EXCHANGE, in one step
    libc.renameat2(-100, place, -100, evil, 2)
"""


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    folder = tmp_path / "outside"
    folder.mkdir()
    return folder


@contextlib.contextmanager
def swapping(root: Path, outside: Path) -> Iterator[None]:
    """While the block runs, `root/place` and `root/evil` are in turn a folder and a link to `outside`."""
    (root / "place").mkdir(exist_ok=True)
    (root / "evil").symlink_to(outside)
    words = [sys.executable, "-I", "-S", "-c", SWAP, str(root / "place"), str(root / "evil")]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as racer:
        assert racer.stdout is not None and racer.stdout.readline() == b"swapping\n"
        try:
            yield
            assert racer.poll() is None
        finally:
            racer.kill()


def won(attempt: Callable[[], bool]) -> int:
    """How many attempts the race needs until one of them leads outside. Fails when none does."""
    for number in range(1, TRIES + 1):
        if attempt():
            return number
    raise AssertionError("the control did not show what the race can do")


def plainly(tree: Worktree, *args: str) -> str:
    """Git as it would be without a guard; what it refuses is no matter."""
    try:
        return git(*args, git_dir=tree.git_dir, work_tree=tree.root)
    except GitFailed as error:
        return error.output


def test_race_to_show_the_model_a_file_of_the_host(tree: Worktree, outside: Path) -> None:
    (tree.root / "place").mkdir()
    for number in range(FILES):
        (outside / f"f{number}").write_text("of the host\n")
        (tree.root / "place" / f"f{number}").write_text("mine\n")
    view = TreeGit(tree.git, tree.stage, tree.head)

    def shown(diff: Callable[[], str]) -> bool:
        with contextlib.suppress(GitFailed, GitRefused):
            return "of the host" in diff()
        return False

    def control() -> bool:
        plainly(tree, "add", "--all")
        return shown(lambda: plainly(tree, "diff", "--cached", "HEAD"))

    with swapping(tree.root, outside):
        tries = won(control)
        plainly(tree, "reset", "--quiet", "HEAD")
        for _ in range(min(3 * tries, 20)):
            assert not shown(lambda: view.diff(None, base=True))
            assert not shown(lambda: tree.diff(tree.head))


def test_race_to_write_into_a_folder_of_the_host(tree: Worktree, outside: Path) -> None:
    for folder in ("place", "evil"):
        (tree.root / folder).mkdir()
        for number in range(FILES):
            (tree.root / folder / f"new{number}").write_text("new\n")
    tree.commit("both are folders")
    names = [f"{folder}/new{number}" for folder in ("place", "evil") for number in range(FILES)]

    def restore(run: Callable[..., str]) -> bool:
        for folder in ("place", "evil"):  # git makes a folder of a link that is in its way
            remove_tree(tree.root / folder)
        with swapping(tree.root, outside), contextlib.suppress(GitFailed):
            run("restore", "--source=HEAD", "--staged", "--worktree", "--", *names)
        return any(outside.iterdir())

    tries = won(lambda: restore(lambda *args: plainly(tree, *args)))
    for file in outside.iterdir():
        file.unlink()
    for _ in range(min(3 * tries, 20)):
        assert not restore(tree.git)


def test_race_to_delete_a_git_folder_of_the_host(tree: Worktree, outside: Path) -> None:
    def laid() -> None:
        (outside / "sub" / ".git").mkdir(parents=True, exist_ok=True)
        (outside / "sub" / ".git" / "config").write_text("of the host\n")

    def naive() -> None:
        for folder, names, _files in os.walk(tree.root):
            if Path(folder) != tree.root and ".git" in names:
                shutil.rmtree(Path(folder) / ".git", ignore_errors=True)
                names.remove(".git")

    def gone(drop: Callable[[], None]) -> bool:
        with contextlib.suppress(OSError):
            (tree.root / "place" / "sub" / ".git").mkdir(parents=True)
        laid()
        drop()
        return not (outside / "sub" / ".git" / "config").exists()

    laid()
    with swapping(tree.root, outside):
        tries = won(lambda: gone(naive))
        for _ in range(min(3 * tries, 300)):
            assert not gone(lambda: prepare_for_git(tree.root))


def test_race_to_have_the_host_remove_its_own_files(tmp_path: Path, outside: Path) -> None:
    def laid(root: Path) -> None:
        for folder in (root / "place", outside):
            for number in range(FILES):
                (folder / f"sub{number}").mkdir(parents=True, exist_ok=True)
                (folder / f"sub{number}" / "file").write_text("x")

    def naive(root: Path) -> None:
        for folder, _names, files in os.walk(root, topdown=False):
            for name in files:
                with contextlib.suppress(OSError):
                    (Path(folder) / name).unlink()

    def emptied(remove: Callable[[Path], None]) -> bool:
        root = tmp_path / "root"
        laid(root)
        with swapping(root, outside), contextlib.suppress(OSError):
            remove(root)
        shutil.rmtree(root, ignore_errors=True)
        return len(list(outside.glob("*/file"))) < FILES

    tries = won(lambda: emptied(naive))
    for _ in range(min(3 * tries, 10)):
        assert not emptied(remove_tree)


def test_race_to_have_the_host_measure_and_list_its_own_files(tree: Worktree, outside: Path) -> None:
    (outside / "big").write_bytes(b"x" * 5_000_000)

    def naive() -> int:
        total, pending = 0, [str(tree.root)]
        while pending:
            with contextlib.suppress(OSError), os.scandir(pending.pop()) as entries:
                for entry in entries:
                    total += entry.stat(follow_symlinks=False).st_size
                    if entry.is_dir(follow_symlinks=False):
                        pending.append(entry.path)
        return total

    def listed() -> set[str]:
        return {entry.name for _, _, entries in folders(tree.root) for entry in entries}

    with swapping(tree.root, outside):
        tries = won(lambda: naive() > 4_000_000)
        for _ in range(min(3 * tries, 1000)):
            assert size_of(tree.root) < 4_000_000
            assert "big" not in listed()


def test_race_to_have_the_host_copy_files_into_its_own_folder(
    tree: Worktree, outside: Path, tmp_path: Path
) -> None:
    source = tmp_path / "built"
    source.write_text("built\n")
    names = [f"place/built{number}" for number in range(FILES)]

    def naive(path: str) -> None:
        target = tree.root / path
        if not target.parent.is_symlink() and not target.exists():
            shutil.copy2(source, target)

    def copied(copy: Callable[[str], object]) -> bool:
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                copy(name)
        return any(outside.iterdir())

    with swapping(tree.root, outside):
        tries = won(lambda: copied(naive))
        for file in outside.iterdir():
            file.unlink()
        for _ in range(min(3 * tries, 100)):
            assert not copied(lambda name: copy_in(source, tree.root, name))


def test_attack_leave_a_link_where_the_host_will_write(tree: Worktree, outside: Path) -> None:
    (outside / "victim").write_text("of the host")
    (tree.root / "module.py").symlink_to(outside / "victim")
    (tree.root / "folder").symlink_to(outside)
    (tree.root / "mine.py").write_text("mine")
    for path in ("module.py", "folder/victim"):
        assert read_file(tree.root, path) is None
        assert not copy_in(tree.root / "mine.py", tree.root, path)
    with pytest.raises(OSError, match=r"symbolic link|directory"):
        put_file(tree.root, "folder/victim", b"x")
    put_file(tree.root, "module.py", b"mine")  # the link is the workspace's own
    put_file(tree.root, "mine.py", b"new")  # the control
    assert read_file(tree.root, "mine.py") == b"new"
    assert (outside / "victim").read_text() == "of the host" and len(list(outside.iterdir())) == 1
