"""Files of Git LFS: which ones a commit has, and their contents, kept beside the objects of a mirror.

A commit holds a pointer in the place of each of these files:
https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md
"""

import contextlib
import hashlib
import re
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from gherkin.values import Frozen
from runners.git.command import git, tree_entries
from runners.git.tree import git_in_tree
from runners.sandbox.beneath import copy_in, put_file

# What is brought of one commit at most.
MOST_FILES = 2000
MOST_BYTES = 500_000_000
_POINTER = re.compile(
    rb"version https://git-lfs\.github\.com/spec/v1\n(?:ext-[^\n]+\n)*"
    rb"oid sha256:(?P<oid>[0-9a-f]{64})\nsize (?P<size>\d{1,15})\n"
)
_NOTHING = Path("/dev/null")
# How many paths one command gets.
_PATHS = 500
_LARGEST_POINTER = 1024
_SMALLEST_POINTER = 100


class Pointer(Frozen):
    """A file of Git LFS: its path, the SHA-256 of its content in hex, and its size in bytes."""

    path: str
    oid: str
    size: int


def pointers_of(git_dir: Path, commit: str) -> list[Pointer]:
    """Return the files of `commit` that are kept in Git LFS, by path; none where no attribute says so."""
    attributes = [
        entry.blob
        for entry in tree_entries(git_dir, commit)
        if entry.path.rpartition("/")[2] == ".gitattributes"
    ]
    if not any(b"filter=lfs" in content for content in _blobs(git_dir, attributes)):
        return []
    listed = git("ls-tree", "-r", "-z", "-l", commit, git_dir=git_dir)
    small: list[tuple[str, str]] = []
    for line in filter(None, listed.split("\0")):
        meta, _, path = line.partition("\t")
        mode, _, blob, size = meta.split()
        if mode.startswith("100") and _SMALLEST_POINTER <= int(size) <= _LARGEST_POINTER:
            small.append((path, blob))
    found = []
    for (path, _), content in zip(small, _blobs(git_dir, [blob for _, blob in small]), strict=True):
        if pointer := _POINTER.fullmatch(content):
            found.append(Pointer(path=path, oid=pointer["oid"].decode(), size=int(pointer["size"])))
    return found


def wanted(pointers: Iterable[Pointer]) -> list[Pointer]:
    """Return those of `pointers` that are brought: the first ones, up to `MOST_FILES` and `MOST_BYTES`."""
    room = MOST_BYTES
    found: list[Pointer] = []
    for each in pointers:
        if each.size <= room and len(found) < MOST_FILES:
            room -= each.size
            found.append(each)
    return found


def kept(git_dir: Path, pointer: Pointer) -> Path | None:
    """Return the file that holds the content of `pointer`, or None if it is not here."""
    place = _place(git_dir, pointer.oid)
    return place if place.is_file() and place.stat().st_size == pointer.size else None


def keep(git_dir: Path, pointer: Pointer, content: Iterable[bytes]) -> bool:
    """Keep the content of a file; returns False, and keeps nothing, if it is not what the pointer says."""
    place = _place(git_dir, pointer.oid)
    place.parent.mkdir(parents=True, exist_ok=True)
    digest, size = hashlib.sha256(), 0
    with tempfile.NamedTemporaryFile(dir=place.parent, delete=False) as file:
        try:
            for part in content:
                size += len(part)
                if size > pointer.size:
                    break
                digest.update(part)
                file.write(part)
            file.flush()
            if size == pointer.size and digest.hexdigest() == pointer.oid:
                Path(file.name).replace(place)
                return True
        finally:
            Path(file.name).unlink(missing_ok=True)
    return False


def has_large_files(git_dir: Path) -> bool:
    """Return whether the repository keeps contents of Git LFS."""
    return (git_dir / "lfs").is_dir()


def lay_large_files(mirror: Path, git_dir: Path, root: Path, commit: str) -> None:
    """Put the contents that are here in the place of the pointers of the worktree `root` at `commit`.

    `mirror` is its repository, `git_dir` the worktree's own git directory. Git is told to take these files as
    unchanged: the pointer stays in the index, so no commit changes them, and none can. No command may be
    running in the worktree.
    """
    here = [(each, place) for each in pointers_of(mirror, commit) if (place := kept(mirror, each))]
    laid = []
    for pointer, place in here:
        with contextlib.suppress(OSError):  # a folder of it is a link
            put_file(root, pointer.path, None)
            if copy_in(place, root, pointer.path):
                laid.append(pointer.path)
    if laid:
        for start in range(0, len(laid), _PATHS):
            words = ("update-index", "--skip-worktree", "--", *laid[start : start + _PATHS])
            git_in_tree(*words, mirror=mirror, git_dir=git_dir, root=root, exclude=_NOTHING)


def _place(git_dir: Path, oid: str) -> Path:
    """Return where the content with a SHA-256 is kept; git-lfs itself uses the same layout."""
    return git_dir / "lfs" / "objects" / oid[:2] / oid[2:4] / oid


def _blobs(git_dir: Path, ids: Sequence[str]) -> Iterator[bytes]:
    """Yield the contents of blobs. https://git-scm.com/docs/git-cat-file#_batch_output"""
    if not ids:
        return
    asked = "".join(f"{each}\n" for each in ids).encode()
    out = git("cat-file", "--batch", git_dir=git_dir, stdin=asked, strip=False)
    data = out.encode(errors="surrogateescape")
    at = 0
    for _ in ids:
        end = data.index(b"\n", at)
        size = int(data[at:end].split()[2])
        yield data[end + 1 : end + 1 + size]
        at = end + 2 + size
