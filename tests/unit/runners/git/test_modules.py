"""Submodules come from the repository's own server, and from nowhere else."""

from pathlib import Path

import pytest

from runners.environment.prepare import Environments
from runners.git.command import TreeEntry, commit_on, git, store_blob
from runners.git.modules import (
    Submodule,
    address,
    fetch_modules,
    is_fetched,
    modules_of,
    take_modules,
    unpack,
)
from runners.git.outside import lacks_outside, pack_outside, unpack_outside
from runners.sandbox.limits import CommandLimits
from tests.support.waiting import HANG_S
from tests.support.workbench import Workbench

HOME = "https://git.example.org/shop/shop.git"


@pytest.mark.parametrize(
    ("url", "parent", "wanted"),
    [
        ("https://git.example.org/other/lib.git", HOME, "https://git.example.org/other/lib.git"),
        ("../lib.git", HOME, "https://git.example.org/shop/lib.git"),
        ("../../other/lib", HOME, "https://git.example.org/other/lib"),
        ("git@git.example.org:other/lib.git", HOME, "https://git.example.org/other/lib.git"),
        ("ssh://git@git.example.org/other/lib", HOME, "https://git.example.org/other/lib"),
        ("https://elsewhere.org/lib.git", HOME, ""),
        ("https://git.example.org:8443/lib.git", HOME, ""),
        ("http://git.example.org/lib.git", HOME, ""),
        ("https://ada:x@git.example.org/lib.git", HOME, ""),
        ("git@elsewhere.org:lib.git", HOME, ""),
        ("/etc/lib.git", HOME, ""),
        ("ext::sh -c id", HOME, ""),
        ("file:///etc/lib", HOME, ""),
        ("../lib", "/srv/git/shop", "/srv/git/lib"),
        ("../../lib", "/srv/git/shop", ""),
        ("/srv/git/lib", "/srv/git/shop", ""),
        ("..", "/srv/git/shop", ""),
        ("../..", "/srv/git/shop", ""),
        ("", "/srv/git/shop", ""),
    ],
)
def test_a_submodules_address(url: str, parent: str, wanted: str) -> None:
    assert address(Submodule(path="lib", commit="0" * 40, url=url), parent) == wanted


def _with_module(bench: Workbench, tmp_path: Path, url: str) -> tuple[str, Path]:
    """A commit with a submodule `lib`, and the repository on this machine that it lies beside."""
    lib = tmp_path / "lib"
    other = Workbench(tmp_path / "other")
    inner = other.commit({"data.txt": "41\n"})
    git("init", "--quiet", "--bare", str(lib), git_dir=lib)
    git("fetch", "--quiet", str(other.mirror.path), f"{inner}:refs/heads/main", git_dir=lib)
    git("config", "uploadpack.allowAnySHA1InWant", "true", git_dir=lib)
    base = bench.commit(
        {
            ".gitmodules": f'[submodule "lib"]\n\tpath = vendor/lib\n\turl = {url}\n',
            "test_it.py": "def test_it():\n    assert open('vendor/lib/data.txt').read() == '41\\n'\n",
        }
    )
    link = [TreeEntry("160000", inner, "vendor/lib")]
    return commit_on(bench.mirror.path, base, "Module", added=link), tmp_path / "parent"


def test_the_files_of_a_submodule_are_in_each_checkout_and_in_no_change(tmp_path: Path) -> None:
    bench = Workbench(tmp_path / "state")
    base, parent = _with_module(bench, tmp_path, "../lib")
    made = Environments(bench.workspaces, CommandLimits(wall_s=HANG_S), unsafe=False)
    before = made.prepare(bench.mirror, base, ())
    assert "vendor/lib" in " ".join(before.notes)
    fetch_modules(bench.mirror, base, str(parent), "")
    environment = made.prepare(bench.mirror, base, ())
    assert environment.notes == ()
    with bench.workspaces.worktree(bench.mirror, base, "run", "x") as tree:
        sandbox = environment.sandbox(tree.root, {}, {}, limits=CommandLimits(wall_s=HANG_S))
        assert sandbox.run(["cat", "vendor/lib/data.txt"]).output == "41\n"
        (tree.root / "new.txt").write_text("")
        changed = tree.commit("Change")
        assert changed is not None
        listed = git(
            "diff", "--name-only", "--ignore-submodules=none", base, changed, git_dir=bench.mirror.path
        )
        assert listed == "new.txt"
        tree.restore()
        assert tree.git("status", "--short") == ""


def test_a_submodule_of_another_place_is_not_fetched(tmp_path: Path) -> None:
    bench = Workbench(tmp_path / "state")
    base, parent = _with_module(bench, tmp_path, str(tmp_path / "lib"))
    fetch_modules(bench.mirror, base, str(parent), "")
    assert [is_fetched(bench.mirror, module) for module in modules_of(bench.mirror, base)] == [False]


def test_another_machine_gets_the_submodules(tmp_path: Path) -> None:
    bench = Workbench(tmp_path / "state")
    base, parent = _with_module(bench, tmp_path, "../lib")
    fetch_modules(bench.mirror, base, str(parent), "")
    other = Workbench(tmp_path / "machine")
    other.mirror.unbundle(
        bench.mirror.bundle_commit(base, "refs/scenarist/x", base=None), "refs/scenarist/x", fsck=False
    )
    assert lacks_outside(other.mirror, base)
    unpack_outside(other.mirror, base, pack_outside(bench.mirror, base, 1_000_000))
    assert not lacks_outside(other.mirror, base)
    (module,) = modules_of(other.mirror, base)
    unpack(other.mirror, module, tmp_path / "out")
    assert (tmp_path / "out" / "vendor" / "lib" / "data.txt").read_text() == "41\n"


def test_a_clone_lends_its_submodules_but_only_from_below_its_own_folder(tmp_path: Path) -> None:
    bench = Workbench(tmp_path / "state")
    base, _ = _with_module(bench, tmp_path, "https://elsewhere.org/lib.git")
    clone = tmp_path / "clone"
    (clone / "modules").mkdir(parents=True)
    (tmp_path / "lib").rename(clone / "modules" / "lib")
    text = b'[submodule "../modules/lib"]\n\tpath = vendor/lib\n\turl = x\n'
    entry = TreeEntry("100644", store_blob(bench.mirror.path, text), ".gitmodules")
    bad = commit_on(bench.mirror.path, base, "Bad", added=[entry])
    take_modules(bench.mirror, bad, clone)
    assert [is_fetched(bench.mirror, module) for module in modules_of(bench.mirror, bad)] == [False]
    take_modules(bench.mirror, base, clone)
    assert [is_fetched(bench.mirror, module) for module in modules_of(bench.mirror, base)] == [True]
