import contextlib
import os
import threading
from pathlib import Path

import pytest

from runners.sandbox.beneath import open_without_links
from runners.tools.base import Refused
from runners.tools.files import paths
from runners.tools.files.paths import normalise, open_folder, read_bytes, write_bytes


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    (folder / "sub" / "deep").mkdir(parents=True)
    (folder / "sub" / "file").write_text("inside")
    (folder / ".git").mkdir()
    (folder / ".git" / "config").write_text("git")
    (tmp_path / "secret").write_text("outside")
    return folder


@pytest.fixture(params=["openat2", "walk"])
def opener(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "walk":
        monkeypatch.setattr(paths, "open_beneath", open_without_links)
    return str(request.param)


def allow(path: str) -> None:
    pass


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("a/b", "a/b"),
        ("./a//b/", "a/b"),
        ("a/../b", "b"),
        ("", "."),
        (".", "."),
        ("/workspace", "."),
        ("/workspace/a", "a"),
        ("/workspace//a", "a"),
        (".gitignore", ".gitignore"),
        ("a.git/x", "a.git/x"),
    ],
)
def test_normal_paths(written: str, meant: str) -> None:
    assert normalise(written) == meant


@pytest.mark.parametrize(
    "written",
    [
        "/etc/passwd",
        "..",
        "../x",
        "a/../../x",
        "/workspace/../etc",
        "/workspacex/a",
        "a\0b",
        "x" * 5000,
        "\ud800",
    ],
)
def test_paths_outside(written: str) -> None:
    with pytest.raises(Refused, match="relative to the workspace"):
        normalise(written)


@pytest.mark.parametrize(
    "written", [".git", ".git/config", "a/.git/hooks/x", "/workspace/.GIT/x", "a/../.git"]
)
def test_git_is_refused_by_name(written: str) -> None:
    with pytest.raises(Refused, match="git_status"):
        normalise(written)


def test_reading(root: Path, opener: str) -> None:
    assert read_bytes(root, "sub/file", 100) == b"inside"
    assert read_bytes(root, "sub/file", 3) == b"ins"


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("nothing", "There is no"),
        ("sub", "is a folder"),
        ("sub/file/x", "is a file where a folder"),
        ("pipe", "not a regular file"),
    ],
)
def test_what_cannot_be_read(root: Path, opener: str, path: str, why: str) -> None:
    os.mkfifo(root / "pipe")
    with pytest.raises(Refused, match=why):
        read_bytes(root, path, 100)


LINKS_OUT = ["../secret", "/etc/passwd", "sub/../../secret", "/proc/self/environ"]


@pytest.mark.parametrize("target", LINKS_OUT)
def test_links_that_lead_out(root: Path, opener: str, target: str) -> None:
    (root / "link").symlink_to(target)
    assert (root / "link").read_bytes()  # it does lead somewhere
    with pytest.raises(Refused, match="through a link"):
        read_bytes(root, "link", 100)


def test_a_folder_that_leads_out(root: Path, opener: str) -> None:
    (root / "link").symlink_to("..")
    with pytest.raises(Refused):
        read_bytes(root, "link/secret", 100)
    with pytest.raises(Refused):
        write_bytes(root, "link/new", b"x", allow)
    with pytest.raises(Refused):
        write_bytes(root, "link/folder/new", b"x", allow)
    assert sorted(p.name for p in root.parent.iterdir()) == ["secret", "work"]


def test_a_link_into_git(root: Path, opener: str) -> None:
    (root / "link").symlink_to(".git")
    (root / "direct").symlink_to(".git/config")
    assert (root / "link" / "config").read_text() == "git"
    for path in ("link/config", "direct"):
        with pytest.raises(Refused):
            read_bytes(root, path, 100)
    with pytest.raises(Refused):
        write_bytes(root, "link/new", b"x", allow)
    assert not (root / ".git" / "new").exists()


def test_links_that_stay_inside_are_followed_for_reading(root: Path) -> None:
    (root / "link").symlink_to("sub")
    assert read_bytes(root, "link/file", 100) == b"inside"
    with open_folder(root, "link/deep") as (_, real):
        assert real == "sub/deep"


def test_writing(root: Path, opener: str) -> None:
    assert write_bytes(root, "a/b/c", b"one", allow) is True
    assert write_bytes(root, "a/b/c", b"two", allow) is False
    assert (root / "a/b/c").read_bytes() == b"two"
    assert [p.name for p in (root / "a/b").iterdir()] == ["c"]


def test_permissions_are_kept(root: Path) -> None:
    (root / "run").write_text("")
    (root / "run").chmod(0o755)
    write_bytes(root, "run", b"x", allow)
    write_bytes(root, "plain", b"x", allow)
    assert (root / "run").stat().st_mode & 0o777 == 0o755
    assert (root / "plain").stat().st_mode & 0o777 == 0o644


def test_a_hard_link_is_not_written_through(root: Path) -> None:
    (root / "hard").hardlink_to(root.parent / "secret")
    write_bytes(root, "hard", b"changed", allow)
    assert (root.parent / "secret").read_text() == "outside"


@pytest.mark.parametrize(
    ("path", "why"), [("link", "symbolic link"), ("sub", "not a regular"), (".", "itself")]
)
def test_what_cannot_be_written(root: Path, path: str, why: str) -> None:
    (root / "link").symlink_to("sub/file")
    with pytest.raises(Refused, match=why):
        write_bytes(root, path, b"x", allow)
    assert (root / "sub/file").read_text() == "inside"


def test_writing_below_a_file(root: Path) -> None:
    with pytest.raises(Refused, match="is a file"):
        write_bytes(root, "sub/file/x/y", b"x", allow)


def test_the_check_sees_the_path_as_given_and_as_it_lies(root: Path) -> None:
    (root / "link").symlink_to("sub")
    seen: list[str] = []
    write_bytes(root, "link/new", b"x", seen.append)
    assert seen == ["link/new", "sub/new"]

    def refuse(path: str) -> None:
        if path == "sub/other":
            raise Refused("no")

    with pytest.raises(Refused, match="no"):
        write_bytes(root, "link/other", b"x", refuse)
    assert not (root / "sub/other").exists()


def test_a_folder_swapped_for_a_link_never_leads_out(root: Path, opener: str) -> None:
    """Somebody inside swaps a folder and a link to the outside all the time.

    Nothing from outside is ever read.
    """
    outside = root.parent / "outside"
    outside.mkdir()
    (outside / "file").write_text("outside")
    (root / "real").mkdir()
    (root / "real" / "file").write_text("inside")
    (root / "evil").symlink_to(outside)
    stop = threading.Event()

    def swap() -> None:
        while not stop.is_set():
            for source in ("real", "evil"):
                (root / source).rename(root / "swapped")
                (root / "swapped").rename(root / source)

    thread = threading.Thread(target=swap)
    thread.start()
    seen = set()
    try:
        naive_was_fooled = False
        for _ in range(3000):
            try:
                seen.add(read_bytes(root, "swapped/file", 100))
            except Refused:
                seen.add(b"refused")
            if not naive_was_fooled:
                with contextlib.suppress(OSError):
                    naive_was_fooled = (root / "swapped" / "file").read_text() == "outside"
    finally:
        stop.set()
        thread.join()
    assert naive_was_fooled  # so the attack works
    assert b"outside" not in seen and b"refused" in seen
