"""Files of Git LFS come from the repository's own server, are in each checkout, and in no commit."""

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from runners.environment.prepare import Environments
from runners.git.command import git
from runners.git.lfs import Pointer, keep, kept, pointers_of
from runners.git.lfs_fetch import fetch_large_files
from runners.git.local import bring
from runners.git.outside import lacks_outside, pack_outside, unpack_outside
from runners.git.workspaces import Workspaces
from runners.sandbox.limits import CommandLimits
from tests.standins.lfs_server import LfsServer
from tests.support.waiting import HANG_S
from tests.support.workbench import Workbench

CONTENT = b"id,price\n" + b"1,2\n" * 1000


def pointer(content: bytes) -> str:
    oid = hashlib.sha256(content).hexdigest()
    return f"version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize {len(content)}\n"


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    return Workbench(tmp_path / "state")


@pytest.fixture
def base(bench: Workbench) -> str:
    return bench.commit(
        {
            ".gitattributes": "*.csv filter=lfs diff=lfs merge=lfs -text\n",
            "data/prices.csv": pointer(CONTENT),
            "data/note.txt": "no pointer\n",
        }
    )


def here(bench: Workbench, base: str) -> list[bool]:
    return [bool(kept(bench.mirror.path, each)) for each in pointers_of(bench.mirror.path, base)]


def test_pointers_are_found_where_an_attribute_says_so(bench: Workbench, base: str) -> None:
    (found,) = pointers_of(bench.mirror.path, base)
    assert (found.path, found.size) == ("data/prices.csv", len(CONTENT))
    plain = Workbench(bench.workspaces.state_dir / "plain")
    assert pointers_of(plain.mirror.path, plain.commit({"prices.csv": pointer(CONTENT)})) == []


def test_the_content_is_in_each_checkout_and_in_no_commit(bench: Workbench, base: str) -> None:
    made = Environments(bench.workspaces, CommandLimits(wall_s=HANG_S), unsafe=False)
    assert "data/prices.csv" in " ".join(made.prepare(bench.mirror, base, ()).notes)
    with LfsServer(CONTENT) as server:
        fetch_large_files(bench.mirror, base, server.url, server.credential)
    assert made.prepare(bench.mirror, base, ()).notes == ()
    with bench.workspaces.worktree(bench.mirror, base, "run", "x") as tree:
        file = tree.root / "data" / "prices.csv"
        assert file.read_bytes() == CONTENT
        file.write_text("changed")
        (tree.root / "new.txt").write_text("")
        changed = tree.commit("Change")
        assert changed is not None
        assert git("diff", "--name-only", base, changed, git_dir=bench.mirror.path) == "new.txt"
        tree.restore()
        assert file.read_bytes() == CONTENT, "a run of the tests finds it as it was"
        assert tree.git("status", "--short") == ""
        elsewhere = tree.root.parent / "elsewhere"
        elsewhere.write_text("kept")
        file.unlink()
        file.symlink_to(elsewhere)
        tree.restore()
        assert (file.read_bytes(), elsewhere.read_text()) == (CONTENT, "kept"), "no link is followed"


@pytest.mark.parametrize(
    ("host", "given"), [("127.0.0.1", LfsServer.credential.partition(": ")[2]), ("localhost", "")]
)
def test_the_credential_goes_to_the_repositorys_own_server_alone(
    bench: Workbench, base: str, host: str, given: str
) -> None:
    with LfsServer(CONTENT, host=host) as server:
        fetch_large_files(bench.mirror, base, server.url, server.credential)
    asked = [credential for path, credential in server.asked if path.startswith("/storage/")]
    # A storage elsewhere is reached over HTTPS alone.
    assert (asked, here(bench, base)) == (([given], [True]) if given else ([], [False]))


def test_a_wrong_credential_or_content_leaves_the_pointer(bench: Workbench, base: str) -> None:
    oid = hashlib.sha256(CONTENT).hexdigest()
    with LfsServer(CONTENT, host="127.0.0.1") as server:
        fetch_large_files(bench.mirror, base, server.url, "Authorization: Basic bm8=")
        assert here(bench, base) == [False]
        for wrong in (b"x" * len(CONTENT), CONTENT + b"x", b""):
            server.wrong = {oid: wrong}
            fetch_large_files(bench.mirror, base, server.url, server.credential)
            assert here(bench, base) == [False], wrong[:10]
        server.wrong = {}
        fetch_large_files(bench.mirror, base, server.url, server.credential)
    assert here(bench, base) == [True]


def test_a_server_without_the_file_or_none_at_all_leaves_the_pointer(bench: Workbench, base: str) -> None:
    with LfsServer() as server:
        fetch_large_files(bench.mirror, base, server.url, server.credential)
    fetch_large_files(bench.mirror, base, server.url, server.credential)
    assert here(bench, base) == [False]


def test_a_repository_on_this_machine_gives_what_it_has(bench: Workbench, base: str, tmp_path: Path) -> None:
    clone = Workspaces(tmp_path / "other").mirror("local", "clone")
    (wanted,) = pointers_of(bench.mirror.path, base)
    assert keep(clone.path, Pointer(path="x", oid=wanted.oid, size=wanted.size), [CONTENT])
    fetch_large_files(bench.mirror, base, str(clone.path), "")
    assert here(bench, base) == [True]


def test_a_clone_with_pointers_lends_its_files_to_verify_and_init(
    bench: Workbench, base: str, tmp_path: Path
) -> None:
    (wanted,) = pointers_of(bench.mirror.path, base)
    keep(bench.mirror.path, wanted, [CONTENT])
    other = Workspaces(tmp_path / "other").mirror("local", "other")
    bring(other, bench.mirror.path, [base])
    assert not lacks_outside(other, base)


def test_another_machine_gets_the_content(bench: Workbench, base: str, tmp_path: Path) -> None:
    assert pack_outside(bench.mirror, base, 10_000) == b"", "there is nothing yet"
    with LfsServer(CONTENT, host="127.0.0.1") as server:
        fetch_large_files(bench.mirror, base, server.url, server.credential)
    other = Workspaces(tmp_path / "other").mirror("local", "other")
    with other.lock():
        """It is made."""
    other.unbundle(bench.mirror.bundle_commit(base, "refs/scenarist/x", base=None), "refs/scenarist/x")
    assert lacks_outside(other, base)
    assert pack_outside(bench.mirror, base, len(CONTENT)) == b"", "it does not fit"
    unpack_outside(other, base, pack_outside(bench.mirror, base, 1_000_000))
    assert not lacks_outside(other, base)


@pytest.mark.needs("git-lfs")
def test_the_real_client_writes_such_pointers_and_reads_from_such_a_server(tmp_path: Path) -> None:
    def run(folder: Path, *words: str) -> str:
        plain = {
            "GIT_CONFIG_GLOBAL": str(tmp_path / "settings"),
            "GIT_CONFIG_NOSYSTEM": "1",
            "HOME": str(tmp_path),
        }
        done = subprocess.run(
            ["git", *words],
            cwd=folder,
            env={**os.environ, **plain},
            check=True,
            capture_output=True,
            text=True,
        )
        return done.stdout.strip()

    source = tmp_path / "source"
    source.mkdir()
    for name, value in (("user.name", "A"), ("user.email", "a@example.org")):
        run(tmp_path, "config", "--global", name, value)
    run(source, "init", "--quiet", "--initial-branch", "main")
    run(source, "lfs", "install", "--local")
    run(source, "lfs", "track", "*.csv")
    (source / "prices.csv").write_bytes(CONTENT)
    run(source, "add", "--all")
    run(source, "commit", "--quiet", "--message", "Prices")
    base = run(source, "rev-parse", "HEAD")
    mirror = Workspaces(tmp_path / "state").mirror("local", "shop")
    bring(mirror, source / ".git", [base])
    (found,) = pointers_of(mirror.path, base)
    assert (found.path, found.size, found.oid) == (
        "prices.csv",
        len(CONTENT),
        hashlib.sha256(CONTENT).hexdigest(),
    )
    assert kept(mirror.path, found), "a clone of the real client lends its files"
    with LfsServer(CONTENT) as server:
        shutil.rmtree(source / ".git" / "lfs" / "objects")
        (source / "prices.csv").unlink()
        run(source, "config", "lfs.url", f"{server.url}.git/info/lfs")
        run(source, "config", "http.extraHeader", server.credential)
        run(source, "lfs", "pull")
    assert (source / "prices.csv").read_bytes() == CONTENT
