"""The git commands that a model may use: local work on one worktree.

They run outside the sandbox, with the runner's hardened git. There is no clone, fetch, push, remote or
config. Branches and the stash are references of this worktree alone (``refs/worktree/``, git-worktree(1)) and
are deleted with it. The result of the work is the tree, which the runner commits as one commit.
"""

import contextlib
import re
import threading
from collections.abc import Callable, Iterator, Sequence

from runners.git.command import PLAIN, GitFailed

_BRANCHES = "refs/worktree/branches/"
_STASH = "refs/worktree/stash"
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./-]{0,80}")
_REVISION = re.compile(r"(?P<name>[A-Za-z0-9_][A-Za-z0-9_./-]{0,80})(?P<steps>(?:[~^][0-9]{0,4}){0,5})")


class GitRefused(Exception):
    """Git refused a command; the text says why."""


class TreeGit:
    """Git on one worktree.

    `run` runs git with its directories set, `stage` adds everything to the index, and `base` is the commit
    the run started from.

    Files that were not added count like those that were. A `path` is relative and literal: it may begin with
    ``-`` or ``:``. Methods return git's output and raise `GitRefused`.
    """

    def __init__(self, run: Callable[..., str], stage: Callable[[], None], base: str) -> None:
        self._run = run
        self._stage = stage
        self._base = base
        self._start = run("rev-parse", "HEAD")
        self._lock = threading.Lock()

    def _git(self, *args: str) -> str:
        with self._one_at_a_time(args[0]):
            return self._run("--literal-pathspecs", *args)

    def _all(self) -> None:
        with self._one_at_a_time("add"):
            self._stage()

    @contextlib.contextmanager
    def _one_at_a_time(self, command: str) -> Iterator[None]:
        """Run one command at a time, because git locks its index; raise `GitRefused` for `GitFailed`."""
        try:
            with self._lock:
                yield
        except GitFailed as error:
            raise GitRefused(error.message.replace("git --literal-pathspecs", f"git {command}")) from None

    def status(self) -> str:
        """Return the files that differ from the last commit, one a line."""
        self._all()
        return self._git("status", "--short", "--ignore-submodules=all")

    def files(self) -> list[str]:
        """Return the paths of all files of the tree, without ignored ones."""
        self._all()
        return self._git("ls-files", "-z").rstrip("\0").split("\0")

    def diff(self, path: str | None, base: bool) -> str:
        """Return a unified diff of all files or of `path`, since the last commit or the base (`base`)."""
        self._all()
        since = self._base if base else "HEAD"
        return self._git("diff", "--cached", *PLAIN, since, *_scope(path))

    def log(self, limit: int, path: str | None) -> str:
        """Return the newest `limit` commits, one a line; with `path`, only those that changed it."""
        return self._git("log", f"--max-count={limit}", "--format=%h %as %an: %s", *_scope(path))

    def show(self, revision: str, path: str | None) -> str:
        """Return a commit with its diff, or the text that the file `path` has in this commit."""
        commit = self._commit(revision)
        if path is not None:
            return self._git("cat-file", "blob", f"{commit}:{path}")
        return self._git("show", *PLAIN, "--stat", "--patch", "--format=medium", commit)

    def blame(self, path: str, first: int, last: int) -> str:
        """Return the lines `first` to `last` of `path`, each with the commit that changed it last."""
        return self._git("blame", "--no-textconv", "-s", f"-L{first},{last}", "HEAD", "--", path)

    def merge_base(self, one: str, other: str) -> str:
        """Return the newest common ancestor of two revisions."""
        return self._git("merge-base", self._commit(one), self._commit(other))

    def add(self, paths: Sequence[str]) -> str:
        """Stage `paths`; returns the status."""
        self._git("add", "--all", "--", *paths)
        return self._git("status", "--short", "--ignore-submodules=all")

    def commit(self, message: str) -> str:
        """Commit the whole tree; returns the new commit in one line."""
        self._all()
        if not self._git("diff", "--cached", "--name-only", "HEAD"):
            raise GitRefused("Nothing differs from the last commit.")
        self._git("commit", "--quiet", "--no-verify", "--message", message)
        return self._git("log", "--max-count=1", "--format=%h %s")

    def changed(self, path: str, base: bool) -> list[str]:
        """Return the files below `path` that differ from the last commit, or from the base."""
        self._all()
        since = self._base if base else "HEAD"
        return self._git("diff", "--cached", "--name-only", "-z", since, "--", path).rstrip("\0").split("\0")

    def restore(self, paths: Sequence[str], base: bool) -> None:
        """Restore `paths` from the last commit, or from the base."""
        source = self._base if base else "HEAD"
        self._git("restore", f"--source={source}", "--staged", "--worktree", "--", *paths)

    def branches(self) -> str:
        """Return the branches of this worktree, one a line, the current one marked with ``*``."""
        names = self._git("for-each-ref", "--format=%(if)%(HEAD)%(then)* %(end)%(refname)", _BRANCHES)
        return names.replace(_BRANCHES, "")

    def branch(self, name: str) -> None:
        """Make a branch at the last commit."""
        self._git("update-ref", self._branch(name), "HEAD", "")

    def checkout(self, name: str) -> None:
        """Switch to a branch of this worktree, or back to the commit where the work began (``start``)."""
        if self.status():
            raise GitRefused("There are changes that are not committed. Commit or stash them first.")
        if name == "start":
            self._git("checkout", "--quiet", "--detach", self._start)
            return
        ref = self._branch(name)
        self._git("checkout", "--quiet", "--detach", ref)
        self._git("symbolic-ref", "HEAD", ref)

    def stash(self) -> str:
        """Stash all changes; returns which files they were in. There can be one stash."""
        status = self.status()
        if not status:
            raise GitRefused("Nothing differs from the last commit.")
        if self._git("for-each-ref", _STASH):
            raise GitRefused("There is a stash already. Restore it first.")
        commit = self._git("commit-tree", self._git("write-tree"), "-p", "HEAD", "-m", "stash")
        self._git("update-ref", _STASH, commit)
        self._git("reset", "--quiet", "--hard", "HEAD")
        return status

    def unstash(self) -> str:
        """Apply the stash and delete it; returns the status."""
        if not self._git("for-each-ref", _STASH):
            raise GitRefused("There is no stash.")
        if self.status():
            raise GitRefused("There are changes that are not committed. Commit them first.")
        try:
            self._git("cherry-pick", "--no-commit", _STASH)
        except GitRefused as error:
            self._git("reset", "--quiet", "--hard", "HEAD")
            raise GitRefused(f"The stash conflicts with later changes, so it was kept: {error}") from None
        self._git("update-ref", "-d", _STASH)
        return self.status()

    def _branch(self, name: str) -> str:
        if not _NAME.fullmatch(name) or ".." in name or name in ("start", "base", "HEAD"):
            raise GitRefused(f"`{name}` cannot be the name of a branch.")
        return _BRANCHES + name

    def _commit(self, revision: str) -> str:
        """Return the id of a commit: HEAD, base, start, a branch or an id, each with ``~n`` and ``^n``."""
        found = _REVISION.fullmatch(revision)
        if found is None:
            raise GitRefused(f"`{revision}` is not a revision. Give HEAD, base, a branch or a commit id.")
        name = found["name"]
        known = {"HEAD": "HEAD", "base": self._base, "start": self._start}.get(name)
        if known is None:
            known = name if re.fullmatch(r"[0-9a-f]{7,40}", name) else _BRANCHES + name
        try:
            return self._git("rev-parse", "--verify", "--quiet", f"{known}{found['steps']}^{{commit}}")
        except GitRefused:
            raise GitRefused(f"There is no commit `{revision}`.") from None


def _scope(path: str | None) -> tuple[str, ...]:
    return ("--", path) if path else ()
