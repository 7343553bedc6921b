"""Mirrors, worktrees and bundles: how a phase gets the code and hands on its commits."""

import contextlib
import fcntl
import hashlib
import logging
import os
import re
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TextIO

from gherkin.errors import ScenaristError
from runners.git.command import PLAIN, GitFailed, git, has_commit
from runners.git.lfs import has_large_files, lay_large_files
from runners.git.tree import git_in_tree, prepare_for_git
from runners.sandbox.beneath import is_folder
from runners.sandbox.removal import remove_tree

# The file that a mirror has when it was made completely.
_COMPLETE = "scenarist-mirror"
# The folder of scenarios and steps that are not part of the change. Only the bot's own checkouts have it.
SHADOW = ".scenarist/shadow"

log = logging.getLogger(__name__)

_TRIES = 5
# The next three are written before each use of a mirror, so that git never reads what a former run put there.
_MIRROR_CONFIG = "[core]\n\trepositoryformatversion = 0\n\tbare = true\n"
# A repository's `.gitattributes` may not set these, because git fails where they are wrong.
_ATTRIBUTES = "* !working-tree-encoding !filter\n"
_EXCLUDE = "__pycache__/\n*.pyc\n.pytest_cache/\n.hypothesis/\n.mypy_cache/\n.ruff_cache/\n"


class WorkLost(ScenaristError):
    """The artifact store lacks the commits of the run."""

    code = "SCN-3102"
    next_step = "Set the label again: the run starts again from the default branch."


def branch_slug(title: str, limit: int = 40) -> str:
    """Return `title` as the end of a branch name: lower-case ASCII words joined by dashes, never empty."""
    words = re.findall(r"[a-z0-9]+", title.lower())
    return "-".join(words)[:limit].strip("-") or "issue"


def work_ref(run_id: str) -> str:
    """Return the name of the reference that holds a run's commits in its bundles."""
    return f"refs/scenarist/{run_id}"


class Mirror:
    """One bare mirror of one repository, shared by all runs on this machine and locked across processes."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @contextlib.contextmanager
    def lock(self, *, wait: bool = True) -> Iterator[None]:
        """Lock the mirror against other processes, and wait for them to unlock it.

        Without `wait`, raises `BlockingIOError` if another process holds the lock.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.with_suffix(".lock").open("w") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._prepare()
            yield

    def _prepare(self) -> None:
        # Git's lock files are left by killed processes: only the holder of our lock makes them.
        for stale in (*self.path.glob("*.lock"), *(self.path / "refs" / "remotes").rglob("*.lock")):
            stale.unlink(missing_ok=True)
        made = self.path / _COMPLETE
        if not made.exists():
            # Missing, or left incomplete by a killed process: git does not accept such a folder.
            remove_tree(self.path)
            git("init", "--quiet", "--bare", str(self.path), git_dir=self.path)
            made.touch()
        (self.path / "config").write_text(_MIRROR_CONFIG)
        (self.path / "info").mkdir(exist_ok=True)
        (self.path / "info" / "exclude").write_text(_EXCLUDE)
        (self.path / "info" / "attributes").write_text(_ATTRIBUTES)

    def fetch(self, url: str, header: str, branches: Sequence[str]) -> dict[str, str]:
        """Fetch the new commits of `branches` from `url`; returns branch -> commit id.

        `header` holds the credential. A damaged mirror is made again. Raises `GitFailed`.
        """
        with self.lock():
            refspecs = [f"+refs/heads/{name}:refs/remotes/origin/{name}" for name in branches]
            # Tags are fetched too, because packages read their version from them.
            fetch = ("fetch", "--quiet", url, *refspecs)
            try:
                self._make_room(branches)
                git(*fetch, git_dir=self.path, header=header)
            except GitFailed:
                if self._is_sound():
                    raise
                log.warning("the mirror %s is damaged and is fetched again", self.path)
                remove_tree(self.path)
                self._prepare()
                git(*fetch, git_dir=self.path, header=header)
            return {
                name: git("rev-parse", f"refs/remotes/origin/{name}", git_dir=self.path) for name in branches
            }

    def _make_room(self, branches: Sequence[str]) -> None:
        """Remove branches that the remote cannot have any more, since `branches` exclude them.

        Git cannot store ``a`` and ``a/b`` side by side.
        """
        known = git("for-each-ref", "--format=%(refname)", "refs/remotes/origin", git_dir=self.path).split()
        for ref in known:
            name = ref.removeprefix("refs/remotes/origin/")
            if any(name.startswith(f"{other}/") or other.startswith(f"{name}/") for other in branches):
                git("update-ref", "-d", ref, git_dir=self.path)

    def _is_sound(self) -> bool:
        """Return whether the mirror has every object that its references need."""
        try:
            git("fsck", "--connectivity-only", "--no-dangling", "--no-progress", git_dir=self.path)
        except GitFailed:
            return False
        return True

    def forget(self, gone: Callable[[Path], bool], refs: Iterable[str]) -> None:
        """Remove the entries of worktrees for whose root `gone` is true, and the references `refs`.

        The caller holds the lock.
        """
        # `git worktree prune` would keep the entry of an unfinished `git worktree add`, which is locked.
        for entry in (self.path / "worktrees").glob("*"):
            link = entry / "gitdir"
            if not link.is_file() or gone(Path(link.read_text().strip()).parent):
                shutil.rmtree(entry, ignore_errors=True)
        for ref in refs:
            git("update-ref", "-d", ref, git_dir=self.path)

    def work_refs(self) -> list[str]:
        """Return the references of runs in this mirror."""
        return git("for-each-ref", "--format=%(refname)", work_ref(""), git_dir=self.path).split()

    def has(self, commit: str) -> bool:
        """Return whether the mirror has the commit."""
        return has_commit(self.path, commit)

    def unbundle(self, bundle: bytes, ref: str, *, fsck: bool = True) -> str:
        """Fetch the commits of a bundle to the reference `ref`; returns the commit id.

        Without `fsck`, malformed objects are accepted; old histories hold some. Raises `GitFailed`.
        """
        with self.lock():
            (self.path / f"{ref}.lock").unlink(missing_ok=True)
            with tempfile.TemporaryDirectory(prefix="scenarist-in-") as tmp:
                packed = Path(tmp) / "work.bundle"
                packed.write_bytes(bundle)
                git(
                    "fetch",
                    "--quiet",
                    "--no-tags",
                    str(packed),
                    f"+{ref}:{ref}",
                    git_dir=self.path,
                    fsck=fsck,
                )
            return git("rev-parse", ref, git_dir=self.path)

    def bundle_commit(self, commit: str, ref: str, *, base: str | None) -> bytes:
        """Return a bundle of `commit` under the name `ref`, without what `base` has.

        The mirror does not keep the reference.
        """
        with self.lock():
            git("update-ref", ref, commit, git_dir=self.path)
            try:
                return self.bundle(ref, base=base)
            finally:
                git("update-ref", "-d", ref, git_dir=self.path)

    def bundle(self, ref: str, *, base: str | None) -> bytes:
        """Return the commits of `ref`, without those that `base` has, as a git bundle."""
        # The bundle is written outside the mirror. This method does not hold the mirror's lock, and a process
        # that takes it would remove git's lock file of the bundle.
        with tempfile.TemporaryDirectory(prefix="scenarist-out-") as tmp:
            packed = Path(tmp) / "work.bundle"
            exclude = [f"^{base}"] if base else []
            git("bundle", "create", "--quiet", str(packed), ref, *exclude, git_dir=self.path)
            return packed.read_bytes()


def exclude_file(root: Path) -> Path:
    """Return the path of a file with patterns of files in the worktree `root` that are not committed.

    The file lies outside the worktree.
    """
    return root.parent / "exclude"


class Worktree:
    """A checkout of one commit with a detached HEAD. Its git directory lies outside of it."""

    def __init__(self, mirror: Mirror, root: Path, ref: str) -> None:
        self.mirror = mirror
        self.root = root
        self.ref = ref
        link = (root / ".git").read_text()
        self.git_dir = Path(link.removeprefix("gitdir:").strip())

    def git(self, *args: str) -> str:
        """Run git on this worktree and ignore its `.git` link, which commands may have changed.

        Git sees nothing else of this machine, because commands may be changing the tree meanwhile. Raises
        `GitFailed`.
        """
        places = {"mirror": self.mirror.path, "git_dir": self.git_dir, "root": self.root}
        return git_in_tree(*args, **places, exclude=exclude_file(self.root))

    @property
    def head(self) -> str:
        return self.git("rev-parse", "HEAD")

    def stage(self) -> None:
        """Add everything to the index.

        The git directories of nested repositories are removed first, because git would read their settings.
        """
        prepare_for_git(self.root)
        for tries_left in reversed(range(_TRIES)):
            try:
                self.git("add", "--all")
                break
            except GitFailed:  # a running command removed a file between two steps of git
                if not tries_left:
                    raise
        if is_folder(self.root, SHADOW):
            self.git("add", "--all", "--force", "--", SHADOW)  # also if the repository ignores it

    def restore(self) -> None:
        """Restore the files of HEAD and remove all others. No command may be running in the worktree."""
        try:
            self.git("reset", "--quiet", "--hard")
            self.git("clean", "-ffdxq")
        except GitFailed:  # for example because of folders without permissions
            for place in self.root.iterdir():
                if place.name != ".git":
                    remove_tree(place)
            self.git("reset", "--quiet", "--hard")
        self.lay_large_files()

    def lay_large_files(self) -> None:
        """Put the files of Git LFS that are here in the place of their pointers.

        No command may be running in the worktree.
        """
        if has_large_files(self.mirror.path):
            lay_large_files(self.mirror.path, self.git_dir, self.root, self.head)

    def commit(self, message: str) -> str | None:
        """Commit all changes; returns the new commit id, or None if nothing changed."""
        self.stage()
        if not self.git("diff", "--cached", "--name-only", "HEAD"):
            return None
        self.git("commit", "--quiet", "--no-verify", "--message", message)
        return self.head

    def diff(self, since: str) -> str:
        """Return the changes since the commit `since` as a unified diff."""
        self.stage()
        return self.git("diff", "--cached", *PLAIN, since)

    def snapshot(self, parent: str) -> str:
        """Store the present tree as a commit on `parent` in the run's reference; returns its id.

        HEAD does not change.
        """
        self.stage()
        tree = self.git("write-tree")
        commit = self.git("commit-tree", tree, "-p", parent, "-m", "checkpoint")
        self.git("update-ref", self.ref, commit)
        return commit

    def bundle(self, base: str) -> bytes:
        """Return the run's commits after `base` as a git bundle."""
        self.git("update-ref", self.ref, "HEAD")
        return self.mirror.bundle(self.ref, base=base)


class Workspaces:
    """All mirrors and worktrees below one state directory of this machine."""

    def __init__(self, state_dir: Path) -> None:
        self.state_dir = state_dir.resolve()

    def mirror(self, forge: str, repo: str) -> Mirror:
        """Return the mirror of `repo` (its full name) on `forge`."""
        readable = re.sub(r"[^A-Za-z0-9._-]+", "-", repo).strip("-.") or "repo"
        digest = hashlib.sha256(f"{forge}\0{repo}".encode()).hexdigest()[:10]
        return Mirror(self.state_dir / "mirrors" / f"{forge}-{readable}-{digest}.git")

    @contextlib.contextmanager
    def worktree(self, mirror: Mirror, commit: str, run_id: str, name: str) -> Iterator[Worktree]:
        """Make a worktree of `commit`, and remove it with its references when the block ends.

        `name` distinguishes several worktrees of one run.
        """
        home = self.state_dir / "work" / f"{run_id}-{name}"
        ref = work_ref(run_id)
        with _lock_folder(home):
            root = home / "tree"
            # A run has one worker, so an existing lock of its reference is from a killed one.
            (mirror.path / f"{ref}.lock").unlink(missing_ok=True)
            self._remove(mirror, root, ref)
            with mirror.lock():
                git(
                    "worktree",
                    "add",
                    "--quiet",
                    "--detach",
                    "--force",
                    str(root),
                    commit,
                    git_dir=mirror.path,
                )
            tree = Worktree(mirror, root, ref)
            try:
                tree.lay_large_files()
                yield tree
            finally:
                self._remove(mirror, root, ref)
                remove_tree(home)

    @staticmethod
    def _remove(mirror: Mirror, root: Path, ref: str) -> None:
        remove_tree(root)
        with mirror.lock():
            # Nothing packs the references of a mirror, so each is a file.
            mirror.forget(lambda tree: tree == root, [ref] if (mirror.path / ref).exists() else [])

    def sweep(self) -> list[str]:
        """Remove what killed processes left behind; returns the names of the removed work folders."""
        work = self.state_dir / "work"
        removed = [home.name for home in sorted(work.glob("*")) if self._abandoned(home)]
        # A worktree that is made meanwhile has its work folder before its references, so they are kept.
        for path in sorted((self.state_dir / "mirrors").glob("*.git")):
            mirror = Mirror(path)
            try:
                with mirror.lock(wait=False):
                    busy = {work_ref(home.name.split("-")[0]) for home in work.glob("*")}
                    left = [ref for ref in mirror.work_refs() if ref not in busy]
                    mirror.forget(lambda tree: not tree.exists(), left)
            except BlockingIOError:
                continue
            except GitFailed as error:  # the next fetch makes the mirror again
                log.warning("%s cannot be swept: %s", path, error.message)
        return removed

    @staticmethod
    def _abandoned(home: Path) -> bool:
        """Remove a work folder unless a process has it locked; returns whether it was removed."""
        try:
            handle = (home / "lock").open("r+")
        except OSError:
            return False
        with handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                _end_sandboxes_of(home)
                remove_tree(home)
            except BlockingIOError:
                return False
            except OSError as error:
                log.warning("%s cannot be removed: %s", home, error)
                return False
        return True


def _end_sandboxes_of(home: Path) -> None:
    """Kill the processes that still have the work folder `home` of a dead worker mounted.

    A sandbox ends with its worker, but not if the worker is killed just before the sandbox starts.
    """
    mounted = f"/{home.parent.name}/{home.name}/".encode()
    for mounts in Path("/proc").glob("[0-9]*/mountinfo"):
        with contextlib.suppress(OSError):  # it has ended meanwhile, or belongs to another account
            if mounted in mounts.read_bytes():
                os.kill(int(mounts.parent.name), signal.SIGKILL)


def _lock_folder(home: Path) -> TextIO:
    """Make the folder `home` and lock it against other processes; returns the open lock file.

    If another process is removing the folder, it is made again.
    """
    while True:
        home.mkdir(parents=True, exist_ok=True)
        try:
            handle = (home / "lock").open("w")
        except FileNotFoundError:
            continue
        fcntl.flock(handle, fcntl.LOCK_EX)
        if os.fstat(handle.fileno()).st_nlink:
            return handle
        handle.close()
