"""Mirrors, worktrees, bundles and pushes, with real git."""

import contextlib
import fcntl
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from runners.git.command import GitFailed, changed_files, git, push, read_blob, remote_heads
from runners.git.workspaces import Mirror, Workspaces, branch_slug, work_ref
from tests.support.waiting import wait_until


@pytest.fixture
def origin(tmp_path: Path) -> Path:
    """A bare repository with one commit on main."""
    path = tmp_path / "origin.git"
    git("init", "--quiet", "--bare", "--initial-branch=main", str(path), git_dir=path)
    add(path, {"a.txt": "one\n", ".gitignore": "ignored\n"})
    return path


def add(origin: Path, files: dict[str, str], branch: str = "main") -> str:
    tree = origin.parent / f"tree-{branch.replace('/', '-')}"
    for name, text in files.items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text(text)
    git("add", "--all", git_dir=origin, work_tree=tree)
    git("commit", "--quiet", "--message", "x", git_dir=origin, work_tree=tree)
    return git("rev-parse", "HEAD", git_dir=origin)


@pytest.fixture
def spaces(tmp_path: Path) -> Workspaces:
    return Workspaces(tmp_path / "state")


@pytest.fixture
def mirror(spaces: Workspaces) -> Mirror:
    return spaces.mirror("local", "octo/shop")


def objects(mirror: Mirror) -> int:
    counts = dict(
        line.split(": ")
        for line in git("count-objects", "-v", git_dir=mirror.path).splitlines()
        if ": " in line
    )
    return int(counts["count"]) + int(counts["in-pack"])


def test_a_sandbox_that_outlived_its_worker_ends_with_the_work_folder(spaces: Workspaces) -> None:
    homes = [spaces.state_dir / "work" / name for name in ("gone-implement", "busy-implement")]
    for home in homes:
        (home / "tree").mkdir(parents=True)
        (home / "lock").touch()
    inside = ["--ro-bind", "/", "/", "--tmpfs", "/mnt", "--bind"]
    left, kept = (
        subprocess.Popen(["bwrap", *inside, str(home / "tree"), "/mnt", "sleep", "1000"]) for home in homes
    )
    try:
        with (homes[1] / "lock").open("w") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            wait_until(lambda: all(map(_mounted, homes)), "the sandboxes")
            assert spaces.sweep() == ["gone-implement"]
            assert left.wait() == 128 + signal.SIGKILL and kept.poll() is None
    finally:
        left.kill()
        kept.kill()
        left.wait()
        kept.wait()


def _mounted(home: Path) -> bool:
    for mounts in Path("/proc").glob("[0-9]*/mountinfo"):
        with contextlib.suppress(OSError):
            if f"/{home.parent.name}/{home.name}/" in mounts.read_text():
                return True
    return False


def test_bundles_are_made_beside_others_who_take_the_mirrors_lock(origin: Path, mirror: Mirror) -> None:
    commit = mirror.fetch(str(origin), "", ["main"])["main"]
    git("update-ref", work_ref("run"), commit, git_dir=mirror.path)
    ended = threading.Event()

    def others() -> None:
        while not ended.is_set():
            with mirror.lock():
                pass

    thread = threading.Thread(target=others)
    thread.start()
    try:
        made = [mirror.bundle(work_ref("run"), base=None) for _ in range(60)]
    finally:
        ended.set()
        thread.join()
    assert all(made)


def test_a_mirror_fetches_only_what_is_new(origin: Path, mirror: Mirror) -> None:
    first = mirror.fetch(str(origin), "", ["main"])["main"]
    before = objects(mirror)
    assert mirror.fetch(str(origin), "", ["main"]) == {"main": first}
    assert objects(mirror) == before
    second = add(origin, {"b.txt": "two\n"})
    assert not mirror.has(second)
    assert mirror.fetch(str(origin), "", ["main"]) == {"main": second}
    assert objects(mirror) == before + 3, "a commit, a tree and a blob"


def test_a_mirror_is_held_by_one_process(mirror: Mirror) -> None:
    script = (
        "import sys, fcntl; f = open(sys.argv[1], 'w')\n"
        "try:\n    fcntl.flock(f, fcntl.LOCK_EX | fcntl.LOCK_NB)\n"
        "except BlockingIOError:\n    sys.exit(7)\n"
    )
    command = [sys.executable, "-c", script, str(mirror.path.with_suffix(".lock"))]
    with mirror.lock():
        assert subprocess.run(command, check=False).returncode == 7
    assert subprocess.run(command, check=False).returncode == 0


def test_a_worktree_commits_and_leaves_nothing(origin: Path, spaces: Workspaces, mirror: Mirror) -> None:
    base = mirror.fetch(str(origin), "", ["main"])["main"]
    with spaces.worktree(mirror, base, "run1", "implement") as tree:
        assert (tree.root / "a.txt").read_text() == "one\n"
        assert tree.commit("nothing") is None
        (tree.root / "b.txt").write_text("two\n")
        (tree.root / "ignored").write_text("x")
        (tree.root / "__pycache__").mkdir()
        (tree.root / "__pycache__" / "x.pyc").write_text("x")
        head = tree.commit("Add b")
        assert head is not None
        bundle = tree.bundle(base)
    assert changed_files(mirror.path, base, head) == [("A", "b.txt")]
    assert not list((spaces.state_dir / "work").iterdir())
    assert not list((mirror.path / "worktrees").glob("*"))
    assert git("for-each-ref", "refs/scenarist", git_dir=mirror.path) == ""

    other = spaces.mirror("local", "octo/elsewhere")
    other.fetch(str(origin), "", ["main"])
    assert other.unbundle(bundle, work_ref("run1")) == head
    assert read_blob(other.path, head, "b.txt") == b"two\n"


def test_a_worktree_is_removed_also_when_the_work_fails(
    origin: Path, spaces: Workspaces, mirror: Mirror
) -> None:
    base = mirror.fetch(str(origin), "", ["main"])["main"]
    with pytest.raises(ZeroDivisionError), spaces.worktree(mirror, base, "run1", "x"):
        _ = 1 / 0
    assert not list((spaces.state_dir / "work").iterdir())


def test_a_checkpoint_does_not_move_the_branch(origin: Path, spaces: Workspaces, mirror: Mirror) -> None:
    base = mirror.fetch(str(origin), "", ["main"])["main"]
    with spaces.worktree(mirror, base, "run1", "x") as tree:
        (tree.root / "b.txt").write_text("half\n")
        kept = tree.snapshot(base)
        assert tree.head == base
        assert read_blob(mirror.path, kept, "b.txt") == b"half\n"


def test_a_nested_repository_becomes_plain_files(origin: Path, spaces: Workspaces, mirror: Mirror) -> None:
    base = mirror.fetch(str(origin), "", ["main"])["main"]
    with spaces.worktree(mirror, base, "run1", "x") as tree:
        nested = tree.root / "nested"
        git("init", "--quiet", str(nested), git_dir=nested / ".git")
        (nested / "c.txt").write_text("three\n")
        head = tree.commit("x")
        assert head is not None
    assert changed_files(mirror.path, base, head) == [("A", "nested/c.txt")]


def test_what_a_killed_process_left_is_swept(origin: Path, spaces: Workspaces, mirror: Mirror) -> None:
    base = mirror.fetch(str(origin), "", ["main"])["main"]
    left = spaces.state_dir / "work" / "run0-x"
    left.mkdir(parents=True)
    (left / "lock").touch()
    with spaces.worktree(mirror, base, "run1", "x") as tree:
        assert spaces.sweep() == ["run0-x"]
        assert tree.root.exists(), "what is in use stays"


def test_what_a_killed_process_left_in_a_mirror_is_swept(
    origin: Path, spaces: Workspaces, mirror: Mirror, tmp_path: Path
) -> None:
    base = mirror.fetch(str(origin), "", ["main"])["main"]
    script = (
        "import os, sys\nfrom pathlib import Path\nfrom runners.git.workspaces import Mirror, Workspaces\n"
        "spaces = Workspaces(Path(sys.argv[1]))\n"
        "with spaces.worktree(Mirror(Path(sys.argv[2])), sys.argv[3], 'run0', 'x') as tree:\n"
        "    tree.snapshot(sys.argv[3])\n"
        "    os._exit(9)\n"
    )
    command = [sys.executable, "-c", script, str(spaces.state_dir), str(mirror.path), base]
    assert subprocess.run(command, check=False).returncode == 9
    left = "refs/scenarist/run0"
    assert git("for-each-ref", "--format=%(refname)", "refs/scenarist", git_dir=mirror.path) == left
    with spaces.worktree(mirror, base, "run1", "x") as tree:
        tree.snapshot(base)
        assert spaces.sweep() == ["run0-x"]
        found = git("for-each-ref", "--format=%(refname)", "refs/scenarist", git_dir=mirror.path)
        assert found == "refs/scenarist/run1", "what is in use stays"
        assert [entry.name for entry in (mirror.path / "worktrees").glob("*")] == [tree.git_dir.name]
        assert tree.head == base
    with mirror.lock():
        assert spaces.sweep() == [], "a mirror that is in use is left for another time"


def test_a_folder_without_rights_is_removed_also_by_who_is_not_root(
    origin: Path, spaces: Workspaces, mirror: Mirror, tmp_path: Path
) -> None:
    base = mirror.fetch(str(origin), "", ["main"])["main"]
    script = (
        "import sys\nfrom pathlib import Path\nfrom runners.git.workspaces import Mirror, Workspaces\n"
        "spaces = Workspaces(Path(sys.argv[1]))\n"
        "with spaces.worktree(Mirror(Path(sys.argv[2])), sys.argv[3], 'run0', 'x') as tree:\n"
        "    (tree.root / 'shut' / 'in').mkdir(parents=True)\n"
        "    (tree.root / 'shut' / 'in' / 'a').touch()\n"
        "    (tree.root / 'shut').chmod(0o500)\n"
    )
    command = [sys.executable, "-c", script, str(spaces.state_dir), str(mirror.path), base]
    if os.geteuid() == 0:
        for path in (tmp_path, *tmp_path.rglob("*")):
            os.chown(path, 65534, 65534)
        for parent in list(tmp_path.parents)[:2]:
            parent.chmod(0o755)
        command = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", *command]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert not list((spaces.state_dir / "work").iterdir())


def test_a_push_needs_the_branch_to_be_where_it_was(origin: Path, spaces: Workspaces, mirror: Mirror) -> None:
    base = mirror.fetch(str(origin), "", ["main"])["main"]
    with spaces.worktree(mirror, base, "run1", "x") as tree:
        (tree.root / "b.txt").write_text("two\n")
        head = tree.commit("x")
        bundle = tree.bundle(base)
    to = {"url": str(origin), "header": "", "branch": "agent/1-x"}
    assert head is not None
    with pytest.raises(GitFailed, match="holds the commit"):
        push(mirror.path, bundle, work_ref("run1"), **to, expected=None, commit=base)
    push(mirror.path, bundle, work_ref("run1"), **to, expected=None, commit=head)
    assert remote_heads(str(origin), "", "agent/1-x", "none") == {"agent/1-x": head}
    theirs = add(origin, {"c.txt": "theirs\n"})
    git("update-ref", "refs/heads/agent/1-x", theirs, git_dir=origin)
    with pytest.raises(GitFailed):
        push(mirror.path, bundle, work_ref("run1"), **to, expected=head, commit=head)
    assert remote_heads(str(origin), "", "agent/1-x") == {"agent/1-x": theirs}
    with pytest.raises(GitFailed):
        push(mirror.path, bundle, work_ref("run1"), **{**to, "branch": "main"}, expected=None, commit=head)
    assert remote_heads(str(origin), "", "main") == {"main": theirs}


def test_configuration_left_in_a_mirror_is_not_used(origin: Path, mirror: Mirror, tmp_path: Path) -> None:
    mirror.fetch(str(origin), "", ["main"])
    mark = tmp_path / "ran"
    hook = mirror.path / "hooks" / "post-checkout"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\ntouch {mark}\n")
    hook.chmod(0o755)
    config = mirror.path / "config"
    config.write_text(config.read_text() + f'[core]\n\tfsmonitor = "touch {mark}"\n\thooksPath = hooks\n')
    spaces = Workspaces(mirror.path.parent.parent)
    with spaces.worktree(mirror, git("rev-parse", "refs/remotes/origin/main", git_dir=mirror.path), "r", "x"):
        pass
    assert not mark.exists()
    assert "fsmonitor" not in config.read_text()


@pytest.mark.parametrize(
    ("title", "slug"),
    [
        ("Add a thing", "add-a-thing"),
        ("  Ümläute & 'quotes'; rm -rf /  ", "ml-ute-quotes-rm-rf"),
        ("日本語", "issue"),
        ("../../etc/passwd", "etc-passwd"),
        ("a" * 90, "a" * 40),
        ("-" * 9 + "x", "x"),
    ],
)
def test_a_title_becomes_the_tail_of_a_branch_name(title: str, slug: str) -> None:
    assert branch_slug(title) == slug


def test_locks_that_a_killed_git_left_are_in_nobodys_way(
    origin: Path, spaces: Workspaces, mirror: Mirror
) -> None:
    base = mirror.fetch(str(origin), "", ["main"])["main"]
    for name in (
        "packed-refs.lock",
        "HEAD.lock",
        "shallow.lock",
        "refs/remotes/origin/main.lock",
        "refs/scenarist/run1.lock",
    ):
        (mirror.path / name).parent.mkdir(parents=True, exist_ok=True)
        (mirror.path / name).touch()
    git("commit", "--quiet", "--allow-empty", "-m", "more", git_dir=origin, work_tree=origin.parent)
    assert mirror.fetch(str(origin), "", ["main"])["main"] != base
    with spaces.worktree(mirror, base, "run1", "x") as tree:
        (tree.root / "b.txt").write_text("two\n")
        tree.commit("x")
        assert tree.bundle(base)


def test_a_damaged_mirror_is_fetched_anew(origin: Path, mirror: Mirror) -> None:
    base = mirror.fetch(str(origin), "", ["main"])["main"]
    damaged = [path for path in (mirror.path / "objects").rglob("*") if path.is_file()]
    for path in damaged:
        path.chmod(0o600)
        path.write_bytes(b"")  # as after a power cut
    assert mirror.fetch(str(origin), "", ["main"])["main"] == base
    assert mirror.has(base)


def test_a_remote_that_is_away_costs_no_mirror(origin: Path, mirror: Mirror, tmp_path: Path) -> None:
    base = mirror.fetch(str(origin), "", ["main"])["main"]
    with pytest.raises(GitFailed):
        mirror.fetch(str(tmp_path / "nowhere"), "", ["main"])
    assert mirror.has(base)


def test_a_mirror_that_was_never_finished_is_made_anew(
    origin: Path, spaces: Workspaces, mirror: Mirror
) -> None:
    mirror.path.mkdir(parents=True)
    (mirror.path / "HEAD").write_text("ref: refs/heads/main\n")  # git makes it before the rest
    assert spaces.sweep() == []
    assert mirror.has(mirror.fetch(str(origin), "", ["main"])["main"])


def test_a_damaged_mirror_keeps_no_worker_from_starting(
    origin: Path, spaces: Workspaces, mirror: Mirror
) -> None:
    base = mirror.fetch(str(origin), "", ["main"])["main"]
    (mirror.path / "HEAD").unlink()
    assert spaces.sweep() == []
    assert mirror.fetch(str(origin), "", ["main"])["main"] == base


def test_attributes_that_git_cannot_fulfil_do_not_stop_the_snapshot(
    origin: Path, spaces: Workspaces, mirror: Mirror
) -> None:
    commit = add(origin, {".gitattributes": "*.crlf text eol=crlf\n", "lines.crlf": "one\n"})
    mirror.fetch(f"file://{origin}", "", ["main"])
    with spaces.worktree(mirror, commit, "run", "work") as tree:
        assert (tree.root / "lines.crlf").read_bytes() == b"one\r\n"  # what works is kept
        (tree.root / ".gitattributes").write_text(
            "*.txt working-tree-encoding=UTF-16\n*.md working-tree-encoding=no-such-charset\n*.x "
            "filter=nowhere\n"
        )
        (tree.root / "odd.txt").write_bytes(b"\xff\xfe\xd8")
        (tree.root / "readme.md").write_text("read me")
        (tree.root / "a.x").write_text("x")
        with pytest.raises(GitFailed, match=r"UTF-16|no-such-charset"):  # the control
            git("add", "--all", git_dir=_plain(tree.root, mirror), work_tree=tree.root)
        kept = tree.snapshot(commit)
    assert read_blob(mirror.path, kept, "odd.txt") == b"\xff\xfe\xd8"
    assert read_blob(mirror.path, kept, "readme.md") == b"read me"


def _plain(root: Path, mirror: Mirror) -> Path:
    """A repository without our own attributes."""
    path = root.parent / "plain.git"
    git("clone", "--quiet", "--bare", str(mirror.path), str(path), git_dir=mirror.path)
    return path


def test_permissions_that_commands_set_do_not_stop_the_snapshot(
    origin: Path, spaces: Workspaces, mirror: Mirror
) -> None:
    commit = mirror.fetch(f"file://{origin}", "", ["main"])["main"]
    with spaces.worktree(mirror, commit, "run", "work") as tree:
        (tree.root / "folder").mkdir()
        (tree.root / "folder" / "file").write_text("kept")
        (tree.root / "folder" / "tool").write_text("kept")
        (tree.root / "folder" / "tool").chmod(0o6711)
        (tree.root / "folder" / "file").chmod(0o000)
        (tree.root / "folder").chmod(0o000)
        kept = tree.snapshot(commit)
        assert (tree.root / "folder" / "tool").stat().st_mode & 0o7777 == 0o711
    assert read_blob(mirror.path, kept, "folder/file") == b"kept"


def test_a_file_that_comes_and_goes_does_not_stop_the_snapshot(
    origin: Path, spaces: Workspaces, mirror: Mirror
) -> None:
    commit = mirror.fetch(f"file://{origin}", "", ["main"])["main"]
    with spaces.worktree(mirror, commit, "run", "work") as tree:
        failed: list[GitFailed] = []
        add_all = tree.git

        def vanishing(*args: str) -> str:
            if args[:2] == ("add", "--all") and not failed:
                failed.append(GitFailed("unable to index file"))
                raise failed[0]
            return add_all(*args)

        tree.git = vanishing
        (tree.root / "b.txt").write_text("two")
        assert read_blob(mirror.path, tree.snapshot(commit), "b.txt") == b"two" and failed
