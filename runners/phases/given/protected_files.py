"""The files of a workspace that must stay as they were, whatever writes them: a tool, a command or a test.

Existing ones are mounted read-only for commands. If a command still made or changed one, that is undone right
after the command, so that the verdict does not refuse the work for it.
"""

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path, PurePosixPath

from runners.git.command import TreeEntry, read_blob, tree_entries
from runners.git.workspaces import Worktree
from runners.policy.capabilities import Policy
from runners.policy.protected import ATTRIBUTES, changes_attributes
from runners.sandbox.beneath import read_file
from runners.sandbox.bubblewrap import WORKSPACE
from runners.verify.rules.links import LINK, SUBMODULE, Change, changes_in

# Each mount costs every command time. What is not mounted is only put back after a command.
_MAX_MOUNTS = 200


class ProtectedFiles:
    """The files that `policy` protects in the worktree `tree`; `commit` holds their right contents."""

    def __init__(self, tree: Worktree, policy: Policy, commit: str) -> None:
        self._tree = tree
        self._policy = policy
        self._commit = commit
        entries = tree_entries(tree.mirror.path, commit)
        self._known = frozenset(each.path for each in entries)
        self._kept = [each for each in entries if policy.keeps(each.path)]
        self._others = [each.path for each in entries if not policy.keeps(each.path)]

    def has(self, path: str) -> bool:
        """Return whether there was a file at `path` when the work began."""
        return path in self._known

    def mounts(self, copies: Path) -> dict[str, Path]:
        """Return the read-only mounts (path inside -> path on the host) that keep commands from writing.

        A folder in which everything is protected is mounted as a whole, so that nothing can be made in it.
        The mounted files are copies in the folder `copies`, which no command can reach.
        """
        found: dict[str, Path] = {}
        for number, (place, entries) in enumerate(self._places()):
            if number == _MAX_MOUNTS:
                break
            if self._copied(entries, copies / str(number)):
                found[f"{WORKSPACE}/{place}"] = copies / str(number) / place
        return found

    def put_back(self) -> list[str]:
        """Undo changes of the protected files; returns their paths. Raises `GitFailed`.

        Files that git ignores are left alone, because they are not part of the change.
        """
        self._tree.stage()
        changed = changes_in(
            self._tree.git(
                *(
                    "diff",
                    "--cached",
                    "--raw",
                    "--no-renames",
                    "--no-abbrev",
                    "--ignore-submodules=none",
                    "-z",
                ),
                self._commit,
            )
        )
        wrong = [each.path for each in changed if self._is_kept(each)]
        if not wrong:
            return []
        known = [path for path in wrong if path in self._known]
        new = [path for path in wrong if path not in self._known]
        # In git's own namespace: a link in the place of a folder leads nowhere there.
        if new:
            self._tree.git(
                "--literal-pathspecs", "rm", "-r", "--quiet", "--force", "--ignore-unmatch", "--", *new
            )
        if known:
            self._tree.git("--literal-pathspecs", "checkout", "--quiet", self._commit, "--", *known)
        return wrong

    def _is_kept(self, change: Change) -> bool:
        path = change.path
        # A link or a repository in the place of a folder brings all that lies in it.
        inside = change.new_mode in (LINK, SUBMODULE) and self._policy.keeps(f"{path}/-")
        if inside or self._policy.keeps(path):
            return True
        if PurePosixPath(path).name.lower() != ATTRIBUTES or self._policy.opens(path):
            return False
        before = read_blob(self._tree.mirror.path, self._commit, path)
        return changes_attributes(path, before, read_file(self._tree.root, path))

    def _places(self) -> Iterator[tuple[str, list[TreeEntry]]]:
        """Return the folders and files to mount, with the files that each stands for."""
        folders: dict[str, list[TreeEntry]] = {}
        alone: list[TreeEntry] = []
        whole = self._whole_folders()
        for entry in self._kept:
            parents = [str(each) for each in reversed(PurePosixPath(entry.path).parents[:-1])]
            folder = next((each for each in parents if each in whole), None)
            if folder is None:
                alone.append(entry)
            else:
                folders.setdefault(folder, []).append(entry)
        yield from sorted(folders.items())
        yield from ((entry.path, [entry]) for entry in alone)

    def _whole_folders(self) -> Collection[str]:
        """Return the folders in which every existing and every new file is protected."""
        folders = {str(each) for entry in self._kept for each in PurePosixPath(entry.path).parents[:-1]}
        with_others = {str(each) for path in self._others for each in PurePosixPath(path).parents[:-1]}
        plain = {entry.path for entry in self._kept if entry.mode in (LINK, SUBMODULE)}
        with_others |= {str(each) for path in plain for each in PurePosixPath(path).parents}
        return {each for each in folders - with_others if self._policy.keeps_all_below(each)}

    def _copied(self, entries: Sequence[TreeEntry], place: Path) -> bool:
        """Copy files to their own paths below the folder `place`; returns whether there were any."""
        found = False
        for entry in entries:
            content = read_file(self._tree.root, entry.path)
            if content is not None:
                copy = place / entry.path
                copy.parent.mkdir(parents=True, exist_ok=True)
                copy.write_bytes(content)
                copy.chmod(int(entry.mode, 8) & 0o777)
                found = True
        return found
