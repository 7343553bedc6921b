"""The files of one commit, and those of them that a plan was made from."""

import configparser
import tomllib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from runners.git.command import list_files, read_blob

_MAX_BYTES = 2_000_000


class Sources:
    """The files of one commit by path. `used` holds the text of each file that was read."""

    def __init__(self, paths: Iterable[str], read: Callable[[str], bytes | None]) -> None:
        self.paths = tuple(paths)
        self._present = frozenset(self.paths)
        self._read = read
        self.used: dict[str, str] = {}

    @classmethod
    def of_commit(cls, git_dir: Path, commit: str) -> "Sources":
        """Return the files of `commit` in the repository at `git_dir`."""
        return cls(list_files(git_dir, commit), lambda path: read_blob(git_dir, commit, path))

    @classmethod
    def of_files(cls, files: Mapping[str, str]) -> "Sources":
        """Return the given files (path -> text)."""
        return cls(files, lambda path: files[path].encode() if path in files else None)

    def __contains__(self, path: object) -> bool:
        return path in self._present

    def text(self, path: str) -> str:
        """Return the text of a file, at most 2 MB of it; empty if there is no such file."""
        if path not in self._present:
            return ""
        if path not in self.used:
            self.used[path] = (self._read(path) or b"")[:_MAX_BYTES].decode(errors="replace")
        return self.used[path]

    def glance(self, path: str) -> str:
        """Return the text of a file without recording it as used, because the plan contains what is taken
        from it.
        """
        known = path in self.used
        text = self.text(path)
        if not known:
            self.used.pop(path, None)
        return text

    def toml(self, path: str) -> dict[str, Any]:
        """Return the content of a TOML file; nothing if it is missing or cannot be read."""
        try:
            return tomllib.loads(self.text(path))
        except tomllib.TOMLDecodeError:
            return {}

    def ini(self, path: str) -> configparser.ConfigParser:
        """Return the content of an INI file; nothing if it is missing or cannot be read."""
        parser = configparser.ConfigParser(interpolation=None, strict=False)
        try:
            parser.read_string(self.text(path))
        except configparser.Error:
            return configparser.ConfigParser(interpolation=None)
        return parser

    def below(self, folder: str) -> list[str]:
        """Return the paths in `folder` (not in its subfolders); ``""`` is the root."""
        return [path for path in self.paths if parent(path) == folder]


def parent(path: str) -> str:
    """Return the folder of a path; empty for the root."""
    folder = str(PurePosixPath(path).parent)
    return "" if folder == "." else folder


def join(folder: str, name: str) -> str:
    """Return `name` in `folder` (empty: the root); ``..`` is resolved."""
    parts: list[str] = []
    for part in PurePosixPath(folder, name).parts:
        if part == ".." and parts:
            parts.pop()
        elif part not in (".", "..", "/"):
            parts.append(part)
    return "/".join(parts)


def table(data: Any, *names: str) -> dict[str, Any]:
    """Return the table at `names`; an empty one if there is none."""
    for name in names:
        data = data.get(name) if isinstance(data, dict) else None
    return data if isinstance(data, dict) else {}


def strings(data: Any) -> list[str]:
    """Return the strings of a list; none if it is no list."""
    return [each for each in data if isinstance(each, str)] if isinstance(data, list) else []
