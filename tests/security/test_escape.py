"""Ways to write outside, to have the host run something, and to leave the sandbox."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from runners.git.command import git
from runners.git.model_git import GitRefused, TreeGit
from runners.git.workspaces import Mirror, Worktree
from runners.policy.capabilities import Policy
from runners.sandbox.bubblewrap import Sandbox, SandboxFailed
from runners.tools.base import ToolContext
from tests.support.attacks import Attack
from tests.support.tool_context import call, context

ROOT = pytest.mark.needs("root")  # for the control
PATCH = "--- /dev/null\n+++ b/{path}\n@@ -0,0 +1 @@\n+x\n"
WRITERS: dict[str, Callable[[str], dict[str, object]]] = {
    "write_file": lambda path: {"path": path, "content": "x"},
    "append_file": lambda path: {"path": path, "content": "x"},
    "edit_file": lambda path: {"path": path, "old": "kept", "new": "x"},
    "apply_patch": lambda path: {"patch": PATCH.format(path=path)},
    "move_path": lambda path: {"source": "mine", "target": path},
    "delete_path": lambda path: {"path": path, "recursive": True},
    "make_folder": lambda path: {"path": f"{path}/x"},
    "git_restore": lambda path: {"path": path},
}


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "victim").write_text("kept")
    return folder


@pytest.mark.parametrize("tool", WRITERS)
@pytest.mark.parametrize("way", ["dots", "absolute", "link", "folder link", "dots behind a folder"])
def test_attack_write_outside_with_a_tool(ctx: ToolContext, outside: Path, tool: str, way: str) -> None:
    (ctx.root / "mine").write_text("mine")
    (ctx.root / "sub").mkdir()
    (ctx.root / "link").symlink_to(outside / "victim")
    (ctx.root / "folder").symlink_to(outside)
    path = {
        "dots": "../outside/victim",
        "absolute": str(outside / "victim"),
        "link": "link",
        "folder link": "folder/victim",
        "dots behind a folder": "sub/../../outside/victim",
    }[way]
    # The control: the path does lead there.
    assert (ctx.root / path).read_text() == "kept"
    result = call(ctx, tool, **WRITERS[tool](path))
    if (
        tool not in ("delete_path", "git_restore") or way != "link"
    ):  # these may: the link is the workspace's own
        assert not result.ok or result.text == "There is nothing to undo.", result.text
    assert {p.name: p.read_text() for p in outside.iterdir()} == {"victim": "kept"}


def test_attack_write_through_a_hard_link(ctx: ToolContext, outside: Path) -> None:
    for name in ("a", "b", "c"):
        os.link(outside / "victim", ctx.root / name)
    assert call(ctx, "write_file", path="a", content="x").ok
    assert call(ctx, "edit_file", path="b", old="kept", new="x").ok
    assert (outside / "victim").read_text() == "kept"
    (ctx.root / "c").write_text("x")  # the control
    assert (outside / "victim").read_text() == "x"


def test_attack_make_a_hard_link_to_a_file_of_the_host(
    guarded: Attack, unguarded: Attack, outside: Path
) -> None:
    assert unguarded(f"ln {outside}/victim a && cat a").output == "kept"
    assert guarded(f"ln {outside}/victim b && cat b").exit_code != 0


def test_attack_win_a_race_with_links(ctx: ToolContext, outside: Path) -> None:
    """A thread swaps a folder and a link to the outside, as a command in the background could."""
    link, place = ctx.root / "evil", ctx.root / "place"
    place.mkdir()
    (place / "victim").write_text("mine")
    link.symlink_to(outside)
    # Exchanged in one step (RENAME_EXCHANGE), so that the place is always one of both.
    swap = (
        "import ctypes, os, sys\n"
        "libc = ctypes.CDLL(None, use_errno=True)\n"
        "place, evil = map(os.fsencode, sys.argv[1:])\n"
        "while libc.renameat2(-100, place, -100, evil, 2) == 0: pass\n"
        "sys.exit(os.strerror(ctypes.get_errno()))"
    )

    def naive() -> bool:
        """The control: a check before the use, which the race beats."""
        for _ in range(1_000_000):
            with contextlib.suppress(OSError):
                if not place.is_symlink() and (place / "victim").read_text() == "kept":
                    return True
        return False

    with subprocess.Popen([sys.executable, "-c", swap, str(place), str(link)]) as racer:
        try:
            for number in range(400):
                call(ctx, "write_file", path="place/victim", content=str(number))
                assert "kept" not in call(ctx, "read_file", path="place/victim").text
                call(ctx, "delete_path", path="place/other", recursive=True)
                call(ctx, "append_file", path="place/victim", content="x")
            assert racer.poll() is None and naive()
        finally:
            racer.kill()
    assert {p.name: p.read_text() for p in outside.iterdir()} == {"victim": "kept"}


@pytest.mark.parametrize("tool", WRITERS)
@pytest.mark.parametrize("path", [".git/hooks/pre-commit", ".GIT/config", "sub/.git/config", ".git"])
def test_attack_write_the_git_directory_with_a_tool(ctx: ToolContext, tool: str, path: str) -> None:
    (ctx.root / "mine").write_text("mine")
    (ctx.root / path).parent.mkdir(parents=True, exist_ok=True)
    (ctx.root / path).write_text("kept")
    result = call(ctx, tool, **WRITERS[tool](path))
    assert not result.ok and "cannot be reached" in result.text
    assert (ctx.root / path).read_text() == "kept"


class Repo:
    """A worktree as a phase has it, and a file that appears when the host runs something for the attacker."""

    def __init__(self, tree: Worktree, proof: Path) -> None:
        self.tree = tree
        self.proof = proof
        self.payload = f"touch {proof}; cat"

    def use(self) -> None:
        """What the bot does after a model's commands."""
        view = TreeGit(self.tree.git, self.tree.stage, self.tree.head)
        for look in (view.status, lambda: view.diff(None, base=True), view.files, lambda: view.log(5, None)):
            with contextlib.suppress(GitRefused):
                look()
        self.tree.snapshot(self.tree.head)
        self.tree.commit("work")
        self.tree.bundle(self.tree.git("rev-parse", "HEAD~1"))

    def control(self, *setup: str) -> None:
        """The same in a plain repository with plain git: the payload runs."""
        folder = self.proof.parent / "control"
        subprocess.run(["git", "init", "-q", str(folder)], check=True)
        environ = {**os.environ, "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b", "GIT_COMMITTER_NAME": "a"}
        environ |= {"GIT_COMMITTER_EMAIL": "a@b", "GIT_ALLOW_PROTOCOL": "file:ext"}
        for line in (*setup, "touch z; git add -A; git commit -qm x; git status; git diff HEAD~1"):
            subprocess.run(["bash", "-c", line], cwd=folder, env=environ, capture_output=True)
        assert self.proof.exists(), "the control did not run the payload"
        self.proof.unlink()


@pytest.fixture
def repo(tree: Worktree, tmp_path: Path) -> Repo:
    (tree.root / "file").write_text("x\n")
    return Repo(tree, tmp_path / "proof")


def shell(repo: Repo, script: str) -> None:
    Sandbox(repo.tree.root).run(["bash", "-c", script])


def test_attack_a_git_hook(repo: Repo) -> None:
    hook = (
        f"mkdir -p .git/hooks; printf '#!/bin/sh\\n{repo.payload}' >.git/hooks/pre-commit; chmod +x "
        ".git/hooks/pre-commit"
    )
    repo.control(hook)
    shell(repo, hook)
    repo.use()
    assert not repo.proof.exists()


@pytest.mark.parametrize(
    "setting",
    [
        "core.fsmonitor '{payload}'",
        "core.hooksPath hooks",
        "diff.external '{payload}'",
        "filter.evil.clean '{payload}'",
        "core.pager '{payload}'",
    ],
)
def test_attack_a_setting_of_git(repo: Repo, setting: str) -> None:
    words = setting.format(payload=repo.payload)
    plant = (
        f"mkdir -p hooks; printf '#!/bin/sh\\n{repo.payload}' >hooks/post-index-change; chmod +x hooks/*; "
        f"echo '* filter=evil diff=evil' >.gitattributes; "
    )
    if "pager" not in setting:  # plain git has no terminal here, so it asks no pager
        repo.control(
            f"{plant} git config {words}; echo 1 >file",
            "git add -A; git commit -qm y; echo 2 >file; git diff",
        )
    shell(
        repo,
        f"{plant} rm -rf .git; git init -q; git config {words}; mkdir -p .git; printf '[core]\\n' "
        ">.git/config",
    )
    repo.use()
    assert not repo.proof.exists()


def test_attack_replace_the_link_to_the_git_directory(repo: Repo) -> None:
    evil = f"git init -q evil; git -C evil config core.fsmonitor '{repo.payload}'"
    repo.control(f"{evil}; rm -rf .git; echo 'gitdir: evil/.git' >.git")
    shell(repo, f"{evil}; rm -f .git; echo 'gitdir: evil/.git' >.git; mv evil other; ln -sfn other .git")
    repo.use()
    assert not repo.proof.exists()


def test_attack_a_nested_repository(repo: Repo) -> None:
    nested = (
        f"git init -q nested; git -C nested config core.fsmonitor '{repo.payload}'; touch nested/a; "
        "git -C nested add a"
    )
    repo.control(
        f"{nested}; git -C nested -c user.name=a -c user.email=a@b commit -qm x", "git add -A", "git status"
    )
    shell(repo, f"{nested}; git -C nested -c user.name=a -c user.email=a@b -c core.fsmonitor= commit -qm x")
    repo.use()
    assert not repo.proof.exists()
    assert "nested/a" in repo.tree.git("ls-files")


def test_attack_a_submodule_url(repo: Repo) -> None:
    modules = (
        f'[submodule "s"]\n\tpath = s\n\turl = ext::sh -c touch% {repo.proof}\n\tupdate = !touch '
        f"{repo.proof}\n"
    )
    repo.control(f"git -c protocol.ext.allow=always clone 'ext::sh -c touch% {repo.proof}' s; true")
    (repo.tree.root / ".gitmodules").write_text(modules)
    repo.tree.git("update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},s")
    repo.use()
    assert not repo.proof.exists()


def test_attack_a_remote_that_is_a_command(repo: Repo, tmp_path: Path) -> None:
    url = f"ext::sh -c touch% {repo.proof}"
    repo.control(f"git -c protocol.ext.allow=always fetch '{url}'; true")
    mirror = Mirror(tmp_path / "other.git")
    with pytest.raises(Exception, match=r"SCN-3101.*(not allowed|failed)"):
        mirror.fetch(url, "", ["main"])
    assert not repo.proof.exists()


def test_attack_a_commit_from_a_hostile_tree(repo: Repo) -> None:
    """A branch's name in a file, a file named as an option, and one with a line end."""
    for name in ("--output=x", "-", "a\nb", ":(top)x", "refs"):
        (repo.tree.root / name).write_text("x")
    repo.use()
    assert {"--output=x", ":(top)x"} < set(repo.tree.git("ls-files", "-z").split("\0"))
    assert git("rev-parse", "HEAD", git_dir=repo.tree.git_dir)


@pytest.mark.parametrize(
    "place", ["/usr/bin/evil", "/etc/evil", "/evil", f"{sys.prefix}/evil.pth", "/proc/sys/kernel/evil"]
)
def test_attack_change_the_system(guarded: Attack, place: str, tmp_path: Path) -> None:
    assert guarded(f"touch {place}").exit_code != 0
    assert guarded(f"cp /bin/true {place}").exit_code != 0
    assert not Path(place).exists()
    assert guarded("touch mine && echo made").output == "made\n"


@ROOT
def test_attack_change_a_setting_of_the_kernel(guarded: Attack, unguarded: Attack) -> None:
    place = Path("/proc/sys/kernel/core_pattern")
    before = place.read_text()
    try:
        assert unguarded(f"echo /evil >{place}").exit_code == 0 and place.read_text() == "/evil\n"
        place.write_text(before)
        assert guarded(f"echo '|/workspace/evil' >{place}").exit_code != 0
        assert place.read_text() == before
    finally:
        place.write_text(before)


CALLS = {
    "mount": "libc.mount(b'none', b'/mnt', b'tmpfs', 0, None)",
    "unshare a user namespace": "libc.unshare(0x10000000)",
    "unshare a mount namespace": "libc.unshare(0x00020000)",
    "clone into a namespace": "libc.syscall({clone}, 0x10000000 | 17, 0, 0, 0, 0) or os._exit(7)",
    "ptrace": "libc.ptrace(0, 0, 0, 0)",
    "bpf": "libc.syscall({bpf}, 0, None, 0)",
    "io_uring": "libc.syscall(425, 1, ctypes.create_string_buffer(200))",
    "set the clock": "libc.syscall({clock}, 0, ctypes.byref((ctypes.c_long * 2)(1 << 40, 0)))",
    "keyctl": "libc.syscall({keyctl}, 0, -3, 1)",
    "perf_event_open": "libc.syscall({perf}, ctypes.create_string_buffer(120), 0, -1, -1, 0)",
    "userfaultfd": "libc.syscall({fault}, 1)",
    "reboot": "libc.syscall({reboot}, 1, 2, 0, None)",
    "chroot": "libc.chroot(b'/tmp')",
    "kexec": "libc.syscall({kexec}, 0, 0, None, 0)",
    "a module": "libc.syscall({module}, b'', 0, b'')",
}
NUMBERS = {
    "x86_64": {
        "clone": 56,
        "bpf": 321,
        "clock": 227,
        "keyctl": 250,
        "perf": 298,
        "fault": 323,
        "reboot": 169,
        "kexec": 246,
        "module": 175,
    },
    "aarch64": {
        "clone": 220,
        "bpf": 280,
        "clock": 112,
        "keyctl": 219,
        "perf": 241,
        "fault": 282,
        "reboot": 142,
        "kexec": 104,
        "module": 105,
    },
}


@pytest.mark.parametrize("name", CALLS)
def test_attack_a_system_call_that_no_test_needs(
    workspace: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers = NUMBERS[os.uname().machine]
    program = (
        "import ctypes, os\nlibc = ctypes.CDLL(None, use_errno=True)\n"
        f"print({CALLS[name].format(**numbers)}, ctypes.get_errno())"
    )
    run = [sys.executable, "-c", program]
    assert Sandbox(workspace).run(run).output == "-1 1\n"
    # The control: without the filter the kernel looks at the call itself, and lets it through or finds
    # another fault.
    monkeypatch.setattr("runners.sandbox.seccomp.program", lambda **_: None)
    bare = Sandbox(workspace).run(run).output
    if name not in ("unshare a mount namespace", "reboot", "chroot"):  # no capability for them: two guards
        assert bare != "-1 1\n", bare


@pytest.mark.needs("x86_64")
def test_attack_calls_of_another_architecture(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The x32 numbers of x86_64 lead to the same calls; a filter of plain numbers alone does not see them."""
    program = (
        "import ctypes; l = ctypes.CDLL(None, use_errno=True); print(l.syscall(0x40000000 + 39), "
        "ctypes.get_errno())"
    )
    assert Sandbox(workspace).run([sys.executable, "-c", program]).output == "-1 38\n"


def test_attack_type_into_the_terminal(workspace: Path) -> None:
    """TIOCSTI puts characters into the input of the shell that started us."""
    program = (
        "import ctypes, fcntl, os, pty\nmain, other = pty.openpty()\n"
        "try: fcntl.ioctl(other, 0x5412, b'x'); print('typed')\nexcept OSError as e: print(e.errno)"
    )
    assert Sandbox(workspace).run([sys.executable, "-c", program]).output == "1\n"
    has_terminal = "try: open('/dev/tty'); print('there')\nexcept OSError as e: print(e.errno)"
    assert Sandbox(workspace).run([sys.executable, "-c", has_terminal]).output in ("6\n", "2\n")


def test_attack_unpack_an_archive_with_dots(guarded: Attack, unguarded: Attack, tmp_path: Path) -> None:
    make = (
        "python3 -c \"import tarfile, io; t = tarfile.open('a.tar', 'w'); i = tarfile.TarInfo('../escaped'); "
        "i.size = 1; t.addfile(i, io.BytesIO(b'x'))\"; tar -xPf a.tar"
    )
    unguarded(make)
    assert (tmp_path / "escaped").exists()
    (tmp_path / "escaped").unlink()
    guarded(make)
    assert not (tmp_path / "escaped").exists()


@pytest.mark.parametrize(
    "script",
    [
        "echo x >{path}",
        "mv {path} other",
        "rm -f {path}",
        "mv features other",
        "ln -sf x {path}",
        "sed -i s/a/b/ {path}",
    ],
)
def test_attack_change_a_locked_file_with_a_command(workspace: Path, script: str) -> None:
    path = "features/locked.feature"
    (workspace / "features").mkdir()
    (workspace / path).write_text("a\n")
    line = ["bash", "-c", script.format(path=path)]
    Sandbox(workspace, read_only={f"/workspace/{path}": workspace / path}).run(line)
    assert (workspace / path).read_text() == "a\n"
    Sandbox(workspace).run(line)  # the control
    left = workspace / path
    is_as_it_was = left.is_file() and not left.is_symlink() and left.read_text() == "a\n"
    assert not is_as_it_was


def test_attack_lead_a_mount_astray(workspace: Path, outside: Path) -> None:
    """The locked file's folder becomes a link, so that the next command's mount would cover the host's."""
    (workspace / "features").symlink_to(outside)
    with pytest.raises(SandboxFailed, match="leads through a link"):
        Sandbox(workspace, read_only={"/workspace/features/victim": workspace / "features/victim"}).run(
            ["true"]
        )


def test_attack_write_a_protected_file_with_every_tool(tmp_path: Path) -> None:
    policy = Policy(role="full", protected=(".github/workflows/**",))
    ctx = context(tmp_path, policy=policy)
    place = ctx.root / ".github/workflows/ci.yml"
    place.parent.mkdir(parents=True)
    place.write_text("kept")
    (ctx.root / "mine").write_text("mine")
    assert call(ctx, "git_commit", message="x").ok
    for tool, arguments in WRITERS.items():
        if tool != "make_folder":
            result = call(ctx, tool, **arguments(".github/workflows/ci.yml"))
            why = {"apply_patch": "this file exists already", "git_restore": "There is nothing to undo"}
            assert why.get(tool, "is protected and must not be changed") in result.text, (tool, result.text)
            assert result.denied == (tool not in why), tool
    assert call(ctx, "delete_path", path=".github", recursive=True).denied
    assert call(ctx, "move_path", source=".github", target="x").denied
    assert place.read_text() == "kept"
    opened = ToolContext(**{**ctx.__dict__, "policy": Policy(role="full")})  # the control
    assert call(opened, "write_file", path=".github/workflows/ci.yml", content="x").ok
