"""The gate's checkouts.

They are restored before each run, and the code under test cannot change the files that judge it.
"""

import contextlib
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from runners.git.command import read_blob, tree_entries
from runners.git.workspaces import Mirror, Workspaces, Worktree
from runners.sandbox.bubblewrap import WORKSPACE
from runners.verify.rules.purposes import is_code, is_judge, purpose_of

# Each mount makes the start of a sandbox slower. Files beyond this number are checked after the run.
_MOST_MOUNTS = 50
_FIRST = ("feature", "step", "configuration", "test", "fixture")


class Checkouts:
    """The checkouts of one verdict; they are removed when the block ends.

    Files that judge the change and are the same as on `base` are mounted read-only. So is the approved
    feature file, from a copy outside of the checkout. `features` is the folder of the repository's features.
    """

    def __init__(
        self, workspaces: Workspaces, mirror: Mirror, run_id: str, *, base: str, features: str
    ) -> None:
        self._workspaces = workspaces
        self._mirror = mirror
        self._run_id = run_id
        self._features = features
        self._stack = contextlib.ExitStack()
        self._trees: dict[Path, Worktree] = {}
        self._held: dict[Path, tuple[str, ...]] = {}
        self._approved: dict[str, Path] = {}
        self._judges = {
            entry.path: (entry.mode, entry.blob)
            for entry in tree_entries(mirror.path, base)
            if is_judge(entry.path, features) or entry.path == f"{features}/environment.py"
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def approve(self, commit: str, feature: str) -> None:
        """Mount the `feature` file of `commit` in every checkout that has a file at this path."""
        content = read_blob(self._mirror.path, commit, feature)
        if content is not None:
            folder = self._stack.enter_context(tempfile.TemporaryDirectory(prefix="scenarist-feature-"))
            self._approved[feature] = Path(folder) / "approved.feature"
            self._approved[feature].write_bytes(content)

    def open(self, commit: str, name: str) -> Path:
        """Make a checkout of `commit`, which stays until the end of the block; returns its folder.

        `name` distinguishes it from the run's other checkouts.
        """
        return self._opened(self._stack, commit, name)

    @contextlib.contextmanager
    def opened(self, commit: str, name: str) -> Iterator[Path]:
        """Make a checkout that is removed when this context ends."""
        with contextlib.ExitStack() as stack:
            yield self._opened(stack, commit, name)

    def _opened(self, stack: contextlib.ExitStack, commit: str, name: str) -> Path:
        tree = stack.enter_context(self._workspaces.worktree(self._mirror, commit, self._run_id, name))
        self._trees[tree.root] = tree
        stack.callback(self._trees.pop, tree.root)
        entries = {each.path: (each.mode, each.blob) for each in tree_entries(self._mirror.path, commit)}
        held = [path for path, entry in self._judges.items() if entries.get(path) == entry]
        held = [path for path in held if is_code(path) or path.endswith(".feature")]
        held.sort(key=lambda path: (_FIRST.index(purpose_of(path, self._features)), path))
        self._held[tree.root] = tuple(held)
        return tree.root

    def begin(self, root: Path) -> Mapping[str, Path]:
        """Restore all files of the checkout at `root`.

        Returns its read-only mounts: path inside -> path on the host.
        """
        tree = self._trees.get(root)
        if tree is None:
            return {}
        tree.restore()
        mounts = {path: root / path for path in self._held[root][:_MOST_MOUNTS]}
        mounts |= {path: copy for path, copy in self._approved.items() if (root / path).is_file()}
        return {f"{WORKSPACE}/{path}": place for path, place in mounts.items() if _is_plain(root, path)}

    def end(self, root: Path) -> tuple[str, ...]:
        """Return, in words, the files that judge the change and that a run has rewritten."""
        tree = self._trees.get(root)
        if tree is None:
            return ()
        changed = {*tree.git("diff", "--name-only", "--no-ext-diff", "-z", "HEAD").split("\0")}
        return tuple(f"{path} while it ran" for path in self._held[root] if path in changed)


def _is_plain(root: Path, path: str) -> bool:
    """Return whether `path` in a checkout is a file and no part of it is a link."""
    place = root
    for part in Path(path).parts:
        place = place / part
        if place.is_symlink():
            return False
    return place.is_file()
