"""Find out whether a change of a file changes how the tests and checks of a base commit are run."""

from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path, PurePosixPath

from runners.git.command import read_blob
from runners.verify.rules.ci_lines import ci_files, ci_lines
from runners.verify.rules.configuration import PYTEST_FILES, configures, configures_pytest, may_be_run


class BaseSettings:
    """How the commit `base`, with its `paths`, has its tests run.

    `features` is the folder of its features, `commands` are the lines that run its own checks and tests. What
    its CI runs counts as well.
    """

    def __init__(
        self, git_dir: Path, base: str, paths: Iterable[str], features: str, commands: Sequence[str]
    ) -> None:
        self._git_dir = git_dir
        self._base = base
        self._features = features
        self._commands = commands
        self._ci = ci_files(paths)
        self._files = [path for path in paths if PurePosixPath(path).name in PYTEST_FILES]
        self._folders = {str(PurePosixPath(path).parent) for path in paths}

    def changed_by(self, path: str, before: bytes | None, after: bytes | None) -> bool:
        """Return whether the change of the file `path` from `before` to `after` (None: not there) changes
        it.
        """
        return configures(
            path,
            before,
            after,
            self._features,
            commands=(*self._commands, *self._ci_lines) if may_be_run(path) else (),
            new_folder=str(PurePosixPath(path).parent) not in self._folders,
            configured=self._configured,
        )

    @cached_property
    def _ci_lines(self) -> list[str]:
        """Return the command lines that the base's CI runs."""
        blobs = (read_blob(self._git_dir, self._base, path) or b"" for path in self._ci)
        return [line for blob in blobs for line in ci_lines(blob)]

    @cached_property
    def _configured(self) -> bool:
        """Return whether the base has settings of pytest."""
        return any(
            configures_pytest(path, read_blob(self._git_dir, self._base, path) or b"") for path in self._files
        )
