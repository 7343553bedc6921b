"""Mirrors, worktrees and bundles: where a phase finds the code and how its commits travel on."""

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
from runners.git.command import PLAIN, GitFailed, git
from runners.git.tree import git_in_tree, prepare_for_git
from runners.sandbox.beneath import is_folder
from runners.sandbox.removal import remove_tree

# The file in a mirror that says that it was made to the end.
_MADE = "scenarist-mirror"
# Where scenarios and steps lie that are not part of the change: only the bot's own checkouts have this
# folder.
SHADOW = ".scenarist/shadow"

log = logging.getLogger(__name__)

# Written anew before each use, so that nothing a past run may have put there is ever read.
_TRIES = 5
_MIRROR_CONFIG = "[core]\n\trepositoryformatversion = 0\n\tbare = true\n"
# What a repository's `.gitattributes` may not ask for, because git fails where it is wrong: git stores files
# as they are.
_ATTRIBUTES = "* !working-tree-encoding !filter\n"
_EXCLUDE = "__pycache__/\n*.pyc\n.pytest_cache/\n.hypothesis/\n.mypy_cache/\n.ruff_cache/\n"


class WorkLost(ScenaristError):
    """The commits of the run are not in the artifact store."""

    code = "SCN-3102"
    next_step = "Set the label again: the run starts anew from the default branch."


def branch_slug(title: str, limit: int = 40) -> str:
    """`title` as the tail of a branch name: lower-case ASCII words joined by dashes, never empty."""
    words = re.findall(r"[a-z0-9]+", title.lower())
    return "-".join(words)[:limit].strip("-") or "issue"


def work_ref(run_id: str) -> str:
    """The reference under which a run's commits travel in its bundles."""
    return f"refs/scenarist/{run_id}"


class Mirror:
    """One bare mirror of one repository, shared by all runs on this machine and locked across processes."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @contextlib.contextmanager
    def lock(self, *, wait: bool = True) -> Iterator[None]:
        """Hold the mirror alone; waits for other processes, or raises `BlockingIOError`."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.with_suffix(".lock").open("w") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._prepare()
            yield

    def _prepare(self) -> None:
        # Whoever wrote these under the lock was killed: nobody else writes what they are for.
        for stale in (*self.path.glob("*.lock"), *(self.path / "refs" / "remotes").rglob("*.lock")):
            stale.unlink(missing_ok=True)
        made = self.path / _MADE
        if not made.exists():
            # Not there yet, or half made by a process that was killed: to git such a folder is no repository.
            remove_tree(self.path)
            git("init", "--quiet", "--bare", str(self.path), git_dir=self.path)
            made.touch()
        (self.path / "config").write_text(_MIRROR_CONFIG)
        (self.path / "info").mkdir(exist_ok=True)
        (self.path / "info" / "exclude").write_text(_EXCLUDE)
        (self.path / "info" / "attributes").write_text(_ATTRIBUTES)

    def fetch(self, url: str, header: str, branches: Sequence[str]) -> dict[str, str]:
        """Bring the named branches up to date (only new objects travel); returns branch -> commit id."""
        with self.lock():
            refspecs = [f"+refs/heads/{name}:refs/remotes/origin/{name}" for name in branches]
            # Tags come along: packages take their version from them.
            fetch = ("fetch", "--quiet", url, *refspecs)
            try:
                self._make_room(branches)
                git(*fetch, git_dir=self.path, header=header)
            except GitFailed:
                if self._is_sound():
                    raise
                log.warning("the mirror %s is damaged and is fetched anew", self.path)
                remove_tree(self.path)
                self._prepare()
                git(*fetch, git_dir=self.path, header=header)
            return {
                name: git("rev-parse", f"refs/remotes/origin/{name}", git_dir=self.path) for name in branches
            }

    def _make_room(self, branches: Sequence[str]) -> None:
        """Remove branches whose names are in the way of others (``a`` and ``a/b``): the remote has them no
        longer."""
        known = git("for-each-ref", "--format=%(refname)", "refs/remotes/origin", git_dir=self.path).split()
        for ref in known:
            name = ref.removeprefix("refs/remotes/origin/")
            if any(name.startswith(f"{other}/") or other.startswith(f"{name}/") for other in branches):
                git("update-ref", "-d", ref, git_dir=self.path)

    def _is_sound(self) -> bool:
        """Whether everything that the mirror's references need is there and can be read."""
        try:
            git("fsck", "--connectivity-only", "--no-dangling", "--no-progress", git_dir=self.path)
        except GitFailed:
            return False
        return True

    def forget(self, gone: Callable[[Path], bool], refs: Iterable[str]) -> None:
        """Drop the entries of worktrees whose root is `gone`, and `refs`; the lock is held."""
        # `git worktree prune` keeps the entry of an `add` that was killed half-way: it is locked.
        for entry in (self.path / "worktrees").glob("*"):
            link = entry / "gitdir"
            if not link.is_file() or gone(Path(link.read_text().strip()).parent):
                shutil.rmtree(entry, ignore_errors=True)
        for ref in refs:
            git("update-ref", "-d", ref, git_dir=self.path)

    def work_refs(self) -> list[str]:
        """The references of runs that are here."""
        return git("for-each-ref", "--format=%(refname)", work_ref(""), git_dir=self.path).split()

    def has(self, commit: str) -> bool:
        """Whether the commit's objects are here."""
        try:
            git("cat-file", "-e", f"{commit}^{{commit}}", git_dir=self.path)
        except GitFailed:
            return False
        return True

    def unbundle(self, bundle: bytes, ref: str, *, fsck: bool = True) -> str:
        """Take a bundle's commits in under `ref`; returns the commit id.

        Without `fsck` malformed objects are taken in too, as old histories hold them.
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
        """Pack `commit` under the name `ref`, which the mirror does not keep."""
        with self.lock():
            git("update-ref", ref, commit, git_dir=self.path)
            try:
                return self.bundle(ref, base=base)
            finally:
                git("update-ref", "-d", ref, git_dir=self.path)

    def bundle(self, ref: str, *, base: str | None) -> bytes:
        """Pack `ref`, without what `base` already has, as a git bundle."""
        # Not in the mirror: this needs no lock of it, and whoever takes that removes the lock files that lie
        # there.
        with tempfile.TemporaryDirectory(prefix="scenarist-out-") as tmp:
            packed = Path(tmp) / "work.bundle"
            exclude = [f"^{base}"] if base else []
            git("bundle", "create", "--quiet", str(packed), ref, *exclude, git_dir=self.path)
            return packed.read_bytes()


def exclude_file(root: Path) -> Path:
    """The file with patterns of what the worktree at `root` holds and no commit of it may: it lies outside of
    it."""
    return root.parent / "exclude"


class Worktree:
    """A checkout of one commit, on its own branchless HEAD; git's directory for it lies outside of it."""

    def __init__(self, mirror: Mirror, root: Path, ref: str) -> None:
        self.mirror = mirror
        self.root = root
        self.ref = ref
        link = (root / ".git").read_text()
        self.git_dir = Path(link.removeprefix("gitdir:").strip())

    def git(self, *args: str) -> str:
        """Run git on this worktree, whatever its `.git` link says by now.

        Commands may be changing the tree meanwhile: git sees nothing else of this machine.
        """
        places = {"mirror": self.mirror.path, "git_dir": self.git_dir, "root": self.root}
        return git_in_tree(*args, **places, exclude=exclude_file(self.root))

    @property
    def head(self) -> str:
        return self.git("rev-parse", "HEAD")

    def stage(self) -> None:
        """Add everything to the index.

        Nested repositories become plain files first: git would read their settings.
        """
        prepare_for_git(self.root)
        for tries_left in reversed(range(_TRIES)):
            try:
                self.git("add", "--all")
                break
            except GitFailed:  # a file is gone that git has just seen: a command is running
                if not tries_left:
                    raise
        if is_folder(self.root, SHADOW):
            self.git("add", "--all", "--force", "--", SHADOW)  # whatever the repository ignores

    def restore(self) -> None:
        """Make the files what HEAD says, and remove all others, whatever ran here.

        Nothing may be running now.
        """
        try:
            self.git("reset", "--quiet", "--hard")
            self.git("clean", "-ffdxq")
        except GitFailed:  # folders without permissions
            for place in self.root.iterdir():
                if place.name != ".git":
                    remove_tree(place)
            self.git("reset", "--quiet", "--hard")

    def commit(self, message: str) -> str | None:
        """Commit everything that changed; returns the new commit id, or None when nothing did."""
        self.stage()
        if not self.git("diff", "--cached", "--name-only", "HEAD"):
            return None
        self.git("commit", "--quiet", "--no-verify", "--message", message)
        return self.head

    def diff(self, since: str) -> str:
        """What differs from the commit `since`, as a unified diff."""
        self.stage()
        return self.git("diff", "--cached", *PLAIN, since)

    def snapshot(self, parent: str) -> str:
        """Store the present tree as a commit on `parent` under the run's ref, moving nothing else."""
        self.stage()
        tree = self.git("write-tree")
        commit = self.git("commit-tree", tree, "-p", parent, "-m", "checkpoint")
        self.git("update-ref", self.ref, commit)
        return commit

    def bundle(self, base: str) -> bytes:
        """The run's commits after `base`, ready for the artifact store."""
        self.git("update-ref", self.ref, "HEAD")
        return self.mirror.bundle(self.ref, base=base)


class Workspaces:
    """All mirrors and worktrees below one state directory of this machine."""

    def __init__(self, state_dir: Path) -> None:
        self.state_dir = state_dir.resolve()

    def mirror(self, forge: str, repo: str) -> Mirror:
        """The mirror of `repo` (its full name) on `forge`."""
        readable = re.sub(r"[^A-Za-z0-9._-]+", "-", repo).strip("-.") or "repo"
        digest = hashlib.sha256(f"{forge}\0{repo}".encode()).hexdigest()[:10]
        return Mirror(self.state_dir / "mirrors" / f"{forge}-{readable}-{digest}.git")

    @contextlib.contextmanager
    def worktree(self, mirror: Mirror, commit: str, run_id: str, name: str) -> Iterator[Worktree]:
        """A fresh worktree of `commit`, removed with its references whatever the end.

        `name` tells apart several worktrees of one run.
        """
        home = self.state_dir / "work" / f"{run_id}-{name}"
        ref = work_ref(run_id)
        with _lock_folder(home):
            root = home / "tree"
            # A run has one worker, so the lock of its reference is a killed one's.
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
            try:
                yield Worktree(mirror, root, ref)
            finally:
                self._remove(mirror, root, ref)
                remove_tree(home)

    @staticmethod
    def _remove(mirror: Mirror, root: Path, ref: str) -> None:
        remove_tree(root)
        with mirror.lock():
            mirror.forget(lambda tree: tree == root, [ref])

    def sweep(self) -> list[str]:
        """Remove what killed processes left behind; returns the names of the removed work folders."""
        work = self.state_dir / "work"
        removed = [home.name for home in sorted(work.glob("*")) if self._abandoned(home)]
        # One that is made from here on is locked together with its mirror.
        for path in sorted((self.state_dir / "mirrors").glob("*.git")):
            mirror = Mirror(path)
            try:
                with mirror.lock(wait=False):
                    busy = {work_ref(home.name.split("-")[0]) for home in work.glob("*")}
                    left = [ref for ref in mirror.work_refs() if ref not in busy]
                    mirror.forget(lambda tree: not tree.exists(), left)
            except BlockingIOError:
                continue
            except GitFailed as error:  # the next fetch makes it anew
                log.warning("%s cannot be swept: %s", path, error.message)
        return removed

    @staticmethod
    def _abandoned(home: Path) -> bool:
        """Remove a work folder unless a process holds it; returns whether it was removed."""
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
    """Kill what still has a work folder mounted whose worker is gone.

    A sandbox ends with the worker that made it; but one whose worker is killed in the moment before it begins
    is left to begin by itself.
    """
    mounted = f"/{home.parent.name}/{home.name}/".encode()
    for mounts in Path("/proc").glob("[0-9]*/mountinfo"):
        with contextlib.suppress(OSError):  # it has ended by now, or is none of ours
            if mounted in mounts.read_bytes():
                os.kill(int(mounts.parent.name), signal.SIGKILL)


def _lock_folder(home: Path) -> TextIO:
    """Make `home` and hold it against other processes, of which one may be removing it just now."""
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
