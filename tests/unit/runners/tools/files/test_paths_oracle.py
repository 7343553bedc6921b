"""Paths of tools against an oracle in plain Python: wherever a path leads, only what really lies in the
workspace is touched."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from runners.tools.base import Refused
from runners.tools.files.paths import move, normalise, read_bytes, remove, write_bytes

NAMES = st.sampled_from(
    ["a", "b", "link", "up", "out", "abs", "loop", "inner", "..", ".", "", ".git", ".GIT", "new", "-x", " "]
)
PATHS = st.builds(
    lambda parts, head: head + "/".join(parts),
    st.lists(NAMES, min_size=1, max_size=5),
    st.sampled_from(["", "", "", "/", "/workspace/"]),
)


@contextmanager
def world() -> Iterator[tuple[Path, Path]]:
    """A workspace full of links, and a folder outside of it whose files must never change."""
    with tempfile.TemporaryDirectory() as made:
        root, outside = Path(made).resolve() / "work", Path(made).resolve() / "outside"
        (root / "a" / "b").mkdir(parents=True)
        outside.mkdir()
        (outside / "secret").write_text("secret")
        (outside / "a").write_text("secret")
        for place in (root, root / "a", root / "a" / "b"):
            (place / "file").write_text("mine")
        (root / "link").symlink_to("a/b")
        (root / "a" / "up").symlink_to("..")
        (root / "out").symlink_to(outside)
        (root / "a" / "out").symlink_to("../../outside/a")
        (root / "abs").symlink_to(root / "a")
        (root / "loop").symlink_to("loop")
        (root / "a" / "inner").symlink_to("b/file")
        (root / ".git").mkdir()
        (root / ".git" / "config").write_text("config")
        yield root, outside


def oracle(root: Path, path: str) -> Path | None:
    """Where `path` leads, None if that is not in the workspace or in `.git`. As os.path.realpath sees it."""
    relative = path.removeprefix("/workspace").lstrip("/") if path.startswith("/workspace/") else path
    if Path(relative).is_absolute() or os.path.normpath(relative or ".").startswith(".."):
        return None
    real = Path(os.path.realpath(root / os.path.normpath(relative or ".")))
    if real != root and root not in real.parents:
        return None
    return None if any(part.lower() == ".git" for part in real.relative_to(root).parts) else real


def untouched(root: Path, outside: Path) -> None:
    assert {p.name: p.read_text() for p in outside.iterdir()} == {"secret": "secret", "a": "secret"}
    assert {p.name: p.read_text() for p in (root / ".git").iterdir()} == {"config": "config"}


@settings(max_examples=300, deadline=None)
@given(path=PATHS, file=st.booleans())
def test_reading_gives_what_the_oracle_gives_or_nothing(path: str, file: bool) -> None:
    path = f"{path}/file" if file else path
    with world() as (root, _):
        wanted = oracle(root, path)
        try:
            found = read_bytes(root, normalise(path), 100)
        except Refused:
            # Refused more than the oracle: absolute links, even where they lead back inside.
            assert (
                wanted is None
                or not wanted.is_file()
                or "abs" in path
                or any(p.lower() == ".git" for p in path.split("/"))
            )
            return
        assert wanted is not None and found == wanted.read_bytes()


@settings(max_examples=300, deadline=None)
@given(path=PATHS)
def test_writing_lands_where_the_oracle_says_or_nowhere(path: str) -> None:
    with world() as (root, outside):
        wanted = oracle(root, path)
        seen: list[str] = []
        try:
            write_bytes(root, normalise(path), b"written", seen.append)
        except Refused:
            untouched(root, outside)
            return
        assert wanted is not None and wanted.read_bytes() == b"written"
        assert seen[-1] == wanted.relative_to(root).as_posix()
        untouched(root, outside)


@settings(max_examples=300, deadline=None)
@given(source=PATHS, target=PATHS, recursive=st.booleans())
def test_moving_and_removing_stay_inside(source: str, target: str, recursive: bool) -> None:
    with world() as (root, outside):
        before = sorted(p.relative_to(root).as_posix() for p in root.rglob("*"))
        seen: list[str] = []
        try:
            move(root, normalise(source), normalise(target), seen.append)
        except Refused:
            left = sorted(p.relative_to(root).as_posix() for p in root.rglob("*"))
            assert set(before) <= set(left)  # folders on the way to the target may have been made
        untouched(root, outside)
        with suppress(Refused):
            remove(root, normalise(target), seen.append, recursive=recursive)
        untouched(root, outside)
        assert all(not part.startswith("..") for part in seen)
        shutil.rmtree(root)
