"""The sandbox: what a command sees, what it may use, and that nothing of it stays."""

import contextlib
import fcntl
import os
import shutil
import socket
import subprocess
import sys
import threading
import uuid
from pathlib import Path

import pytest

from runners.sandbox import bubblewrap as sandbox
from runners.sandbox import cgroups
from runners.sandbox.availability import available, remedy
from runners.sandbox.bubblewrap import Sandbox, SandboxFailed, SandboxMissing
from runners.sandbox.limits import CommandLimits
from runners.sandbox.process import Capture, Running
from tests.support.waiting import wait_until


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    folder = tmp_path / "workspace"
    folder.mkdir()
    return folder


def bash(box: Sandbox, script: str, **options):
    return box.run(["bash", "-c", script], **options)


def processes_with(marker: str) -> list[str]:
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if marker in entry.read_bytes().decode(errors="replace"):
                found.append(entry.parent.name)
        except OSError:
            continue
    return [pid for pid in found if pid != str(os.getpid())]


def test_a_command_runs_in_the_workspace(workspace: Path) -> None:
    result = bash(Sandbox(workspace), "pwd; echo err >&2; echo x > made; id -u; exit 3")
    assert (result.exit_code, result.output) == (3, "/workspace\nerr\n1000\n")
    assert (workspace / "made").read_text() == "x\n"
    assert not (result.truncated or result.timed_out or result.cancelled)


def test_cwd_and_environment(workspace: Path) -> None:
    (workspace / "sub").mkdir()
    box = Sandbox(workspace, env={"A": "1", "B": "1"})
    result = bash(box, 'pwd; echo "$A$B$TZ$HOME"', cwd="sub", env={"B": "2"})
    assert result.output == "/workspace/sub\n12UTC/home/agent\n"


def test_plugins_of_pytest_are_loaded_from_a_repositorys_own_environment_alone(workspace: Path) -> None:
    asked = 'echo "${PYTEST_DISABLE_PLUGIN_AUTOLOAD:-unset}"'
    assert bash(Sandbox(workspace), asked).output == "1\n"
    assert bash(Sandbox(workspace, env={"VIRTUAL_ENV": "/env/venv"}), asked).output == "unset\n"


def test_a_missing_folder_and_a_missing_command(workspace: Path) -> None:
    with pytest.raises(SandboxFailed, match=r"SCN-3002.*nowhere"):
        Sandbox(workspace).run(["true"], cwd="nowhere")
    assert Sandbox(workspace).run(["no-such-command"]).exit_code == 127


def test_a_signal_is_reported_as_a_shell_does(workspace: Path) -> None:
    for unsafe in (False, True):
        assert bash(Sandbox(workspace, unsafe=unsafe), "kill -SEGV $$").exit_code == 139


def test_the_python_that_runs_us_is_there_and_little_else(workspace: Path) -> None:
    program = "import sys, ssl, pydantic; print(sys.prefix)"
    assert Sandbox(workspace).run(["python", "-c", program]).output.strip() == sys.prefix
    prefixes = [Path(sys.prefix), Path(sys.base_prefix)]
    ancestors = {
        p for prefix in prefixes for p in prefix.parents if p.parts[:2] != ("/", "usr") and p != Path("/")
    }
    for ancestor in ancestors:
        listing = Sandbox(workspace).run(["ls", "-A", str(ancestor)]).output.split()
        on_the_way = {
            q.name for prefix in prefixes for q in (prefix, *prefix.parents) if q.parent == ancestor
        }
        assert set(listing) == on_the_way


def test_the_rest_of_the_host_cannot_be_seen(workspace: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("hunter2")
    script = f"cat {tmp_path}/secret"
    assert "hunter2" in bash(Sandbox(workspace, unsafe=True), script).output
    assert "hunter2" not in bash(Sandbox(workspace), script).output
    assert Sandbox(workspace).run(["cat", "/etc/shadow"]).exit_code != 0


def test_our_environment_cannot_be_read_anywhere(workspace: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from runners.sandbox.bubblewrap import Sandbox\n"
        "box = Sandbox(Path(sys.argv[1]), unsafe=sys.argv[2] == 'unsafe', env={'SHOWN': 'yes'})\n"
        "print(box.run(['bash', '-c', 'cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline; env']).output)"
    )

    def seen(mode: str) -> str:
        environment = {**os.environ, "FORGE_KEY": "hunter2", "PYTHONPATH": os.pathsep.join(sys.path)}
        command = [sys.executable, "-c", program, str(workspace), mode]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout

    assert "hunter2" in seen("unsafe")  # the caller's own entry in /proc
    assert "hunter2" not in seen("safe")
    assert "SHOWN=yes" in seen("safe")
    assert str(workspace) not in seen("safe")  # nor where things lie on the host


def test_the_network_is_off_unless_asked_for(workspace: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        attempt = f"exec 3<>/dev/tcp/127.0.0.1/{server.getsockname()[1]}"
        assert bash(Sandbox(workspace, network=True), attempt).exit_code == 0
        refused = bash(Sandbox(workspace), attempt)
    assert refused.exit_code != 0 and "Connection refused" in refused.output


def test_loopback_works_inside(workspace: Path) -> None:
    program = (
        "import socket; s = socket.create_server(('localhost', 0)); "
        "socket.create_connection(s.getsockname()[:2]); print('ok')"
    )
    assert Sandbox(workspace).run(["python", "-c", program]).output == "ok\n"


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_the_git_link_can_be_neither_read_nor_replaced(workspace: Path, kind: str) -> None:
    git = workspace / ".git"
    inner = git / "config" if kind == "folder" else git
    inner.parent.mkdir(exist_ok=True)
    inner.write_text("original")
    path = inner.relative_to(workspace)
    reading = f"cat {path}"
    writing = f"echo evil > {path}"
    replacing = "mv .git old && mkdir .git && echo evil > .git/config"
    for attempt in (reading, writing, replacing, "rm -rf .git"):
        assert "original" not in bash(Sandbox(workspace), attempt).output
        assert inner.read_text() == "original"
    open_box = Sandbox(workspace, unsafe=True)
    assert "original" in bash(open_box, reading).output
    assert bash(open_box, replacing).exit_code == 0 and (workspace / "old").exists()


def test_git_looks_on_as_if_there_were_no_repository(workspace: Path) -> None:
    (workspace / ".git").write_text("gitdir: /nowhere\n")
    mode = Path("/dev/null").stat().st_mode
    for allowed in ("git config --list", "git init -q sub"):
        assert bash(Sandbox(workspace), allowed).exit_code == 0, allowed
    assert "not a git repository" in bash(Sandbox(workspace), "git status").output
    assert bash(Sandbox(workspace), "chmod 600 .git").exit_code != 0
    assert Path("/dev/null").stat().st_mode == mode


def test_a_git_link_that_is_a_symbolic_link_is_refused(workspace: Path) -> None:
    (workspace / ".git").symlink_to("/etc")
    with pytest.raises(SandboxFailed, match="link"):
        Sandbox(workspace).run(["true"])


def test_mounts(workspace: Path, tmp_path: Path) -> None:
    (tmp_path / "ro").mkdir()
    (tmp_path / "rw").mkdir()
    box = Sandbox(
        workspace, read_only={"/ro": tmp_path / "ro"}, writable={"/workspace/cache": tmp_path / "rw"}
    )
    assert bash(box, "touch /ro/x").exit_code != 0
    assert bash(box, "touch cache/x").exit_code == 0
    assert (tmp_path / "rw" / "x").exists() and not (tmp_path / "ro" / "x").exists()


def test_a_mount_does_not_follow_a_link_of_the_workspace(workspace: Path, tmp_path: Path) -> None:
    (workspace / "cache").symlink_to("/tmp")
    with pytest.raises(SandboxFailed, match="leads through a link"):
        Sandbox(workspace, writable={"/workspace/cache/x": tmp_path}).run(["true"])


def test_a_read_only_workspace(workspace: Path) -> None:
    assert bash(Sandbox(workspace), "touch a").exit_code == 0
    assert bash(Sandbox(workspace, workspace_read_only=True), "touch b").exit_code != 0
    assert [p.name for p in workspace.iterdir()] == ["a"]


@pytest.mark.parametrize("place", ["/usr/x", "/x", "/dev/x", "/etc/x", f"{sys.prefix}/x"])
def test_the_system_is_read_only(workspace: Path, place: str) -> None:
    assert bash(Sandbox(workspace), f"touch {place}").exit_code != 0
    assert bash(Sandbox(workspace), "touch /tmp/x /dev/shm/x ~/x").exit_code == 0


def test_kernel_settings_are_read_only_even_for_root(workspace: Path) -> None:
    opening = ["python", "-c", "open('/proc/sys/kernel/core_pattern', 'a')"]
    assert Sandbox(workspace).run(opening).exit_code == 1
    if os.geteuid() == 0:
        assert Sandbox(workspace, unsafe=True).run(opening).exit_code == 0


@pytest.fixture(params=["with control groups", "without"])
def groups(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "without":
        monkeypatch.setattr(sandbox, "control_group", lambda *_: contextlib.nullcontext(cgroups.Group(())))


@pytest.mark.usefixtures("groups")
@pytest.mark.parametrize("unsafe", [False, True])
def test_a_timeout_ends_the_whole_tree(workspace: Path, unsafe: bool) -> None:
    marker = f"90{uuid.uuid4().int % 10**15:015}"
    box = Sandbox(workspace, unsafe=unsafe, limits=CommandLimits(wall_s=0.5))
    result = bash(box, f"echo begun; sleep {marker} & sleep {marker}")
    assert (result.exit_code, result.timed_out, result.output) == (None, True, "begun\n")
    assert processes_with(marker) == []


@pytest.mark.usefixtures("groups")
def test_processes_left_behind_are_ended_and_do_not_hold_us(workspace: Path) -> None:
    marker = f"91{uuid.uuid4().int % 10**15:015}"
    script = f"for i in $(seq 60); do setsid sleep {marker} & done; echo done"
    for _ in range(5):
        result = bash(Sandbox(workspace), script)
        assert (result.exit_code, result.output) == (0, "done\n")
        assert processes_with(marker) == []


def test_nothing_is_still_dying_when_a_run_is_over(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "control_group", lambda *_: contextlib.nullcontext(cgroups.Group(())))
    # The kernel frees the memory, which takes a while, before it gives back the lock.
    program = (
        "import fcntl, sys, time; f = open('lock', 'w'); fcntl.flock(f, fcntl.LOCK_EX); memory = b'x' * "
        "(400 << 20)\n"
        "open('ready', 'w').close(); time.sleep(60)"
    )
    result = bash(
        Sandbox(workspace), f'python -c "{program}" &>/dev/null & until test -e ready; do sleep 0.05; done'
    )
    assert result.exit_code == 0
    with (workspace / "lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_cancelling(workspace: Path) -> None:
    marker = f"92{uuid.uuid4().int % 10**15:015}"
    cancel = threading.Event()
    results = []
    box = Sandbox(workspace)
    thread = threading.Thread(target=lambda: results.append(bash(box, f"sleep {marker}", cancel=cancel)))
    thread.start()
    wait_until(lambda: processes_with(f"sleep {marker}") or not thread.is_alive(), "the command")
    assert thread.is_alive()
    cancel.set()
    thread.join()
    assert results[0].cancelled and results[0].exit_code is None
    assert processes_with(marker) == []
    assert box.run(["touch", "never"], cancel=cancel).cancelled
    assert not (workspace / "never").exists()


def test_long_output_is_cut_in_the_middle(workspace: Path) -> None:
    limits = CommandLimits(output_bytes=1000)
    result = bash(Sandbox(workspace, limits=limits), "echo first; seq 1000000; echo last")
    assert result.exit_code == 0 and result.truncated
    assert result.output.startswith("first\n1\n") and result.output.endswith("\n1000000\nlast\n")
    assert "bytes cut from the middle" in result.output and len(result.output) < 1100
    whole = bash(Sandbox(workspace, limits=limits), "head -c 1000 /dev/zero | tr '\\0' x")
    assert whole.output == "x" * 1000 and not whole.truncated


def test_what_is_still_in_the_pipe_at_the_end_is_read() -> None:
    program = "import fcntl, os; fcntl.fcntl(1, fcntl.F_SETPIPE_SZ, 1 << 20); os.write(1, b'x' * 500_000)"
    with Running([sys.executable, "-c", program], cwd="/", env={}) as running:
        os.waitid(os.P_PIDFD, running._exit, os.WEXITED | os.WNOWAIT)
        assert len(running.wait(60, Capture(1_000_000), None).output) == 500_000


def test_output_that_is_not_utf8(workspace: Path) -> None:
    assert bash(Sandbox(workspace), "printf 'a\\xffb'").output == "a\ufffdb"


FORKS = (
    "import os, time\nmade = 0\n"
    "try:\n    for _ in range(60):\n        if os.fork() == 0: time.sleep(60); os._exit(0)\n        made "
    "+= 1\n"
    "except OSError: pass\nprint(made)"
)


@pytest.mark.parametrize(
    ("limits", "program", "harmless"),
    [
        (CommandLimits(processes=30), FORKS, lambda out: int(out) == 60),
        (CommandLimits(memory_mb=100), "b = bytearray(300 << 20); print('got')", lambda out: out == "got\n"),
        (
            CommandLimits(file_mb=1),
            "open('f', 'wb').write(bytes(2 << 20)); print('got')",
            lambda out: out == "got\n",
        ),
        (
            CommandLimits(open_files=20),
            "f = [open('/dev/null') for _ in range(50)]; print('got')",
            lambda o: o == "got\n",
        ),
        (
            CommandLimits(cpu_s=1),
            "import time\nwhile time.process_time() < 1.5: pass\nprint('got')",
            lambda out: out == "got\n",
        ),
    ],
    ids=["processes", "memory", "file", "files", "cpu"],
)
def test_limits(workspace: Path, limits: CommandLimits, program: str, harmless) -> None:
    command = ["python", "-c", program]
    free = Sandbox(workspace).run(command)
    assert free.exit_code == 0 and harmless(free.output)
    held = Sandbox(workspace).run(command, limits=limits)
    assert held.exit_code != 0 or not harmless(held.output)


def test_private_folders_are_bounded(workspace: Path) -> None:
    fill = "head -c 1M /dev/zero > /tmp/a && head -c 1M /dev/zero > /tmp/b"
    assert bash(Sandbox(workspace, limits=CommandLimits(file_mb=4)), fill).exit_code == 0
    assert bash(Sandbox(workspace, limits=CommandLimits(file_mb=1)), fill).exit_code != 0


@pytest.mark.needs("control groups")
def test_no_control_group_is_left(workspace: Path) -> None:
    parents = cgroups._parents()
    with cgroups.control_group(10, 100) as group:
        assert group.words
        for parent in parents:
            assert list(parent.glob(f"scenarist-*-{os.getpid()}-*"))
    space = Path("/proc/self/ns/pid").stat().st_ino
    for parent in parents:
        # One of a dead process of ours, one of another container that shares the control groups.
        gone = parent / f"scenarist-{space}-999999999-0"
        theirs = parent / f"scenarist-{space + 1}-999999999-0"
        gone.mkdir()
        theirs.mkdir()
        try:
            bash(Sandbox(workspace, limits=CommandLimits(wall_s=1)), "sleep 60 & sleep 60")
            assert not list(parent.glob(f"scenarist-*-{os.getpid()}-*"))
            assert not gone.exists()
            assert theirs.exists()
        finally:
            theirs.rmdir()


def test_without_bubblewrap(workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert available() is None
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "prlimit").symlink_to(str(shutil.which("prlimit")))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert "not installed" in str(available())
    with pytest.raises(SandboxMissing, match=r"SCN-3001.*bubblewrap"):
        Sandbox(workspace)
    box = Sandbox(workspace, unsafe=True)
    assert bash(box, "pwd; echo $PATH").output.splitlines()[0] == str(workspace)


def test_a_bubblewrap_that_does_not_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "bwrap"
    broken.write_text("#!/bin/sh\necho 'bwrap: No permissions to create new namespace' >&2\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert "No permissions" in str(available())


@pytest.mark.parametrize(
    ("files", "advice"),
    [
        ({"proc/sys/kernel/apparmor_restrict_unprivileged_userns": "1\n"}, "AppArmor"),
        ({"proc/sys/kernel/unprivileged_userns_clone": "0\n"}, "unprivileged_userns_clone=1"),
        ({"proc/sys/user/max_user_namespaces": "0\n"}, "max_user_namespaces=10000"),
        ({".dockerenv": ""}, "--security-opt seccomp=unconfined"),
        ({"proc/sys/kernel/apparmor_restrict_unprivileged_userns": "0\n"}, "Allow unprivileged"),
        ({}, "Allow unprivileged user namespaces"),
    ],
)
def test_what_helps_a_bubblewrap_that_does_not_work(
    tmp_path: Path, files: dict[str, str], advice: str
) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert advice in remedy(tmp_path)


def test_without_a_sandbox_the_environment_is_still_cleared(
    workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORGE_KEY", "hunter2")
    box = Sandbox(workspace, unsafe=True, read_only={"/tools": tmp_path})
    assert "hunter2" not in box.run(["env"]).output
    assert box.path("/tools/x") == f"{tmp_path}/x" and box.path("/workspace") == str(workspace)
    assert Sandbox(workspace).path("/tools/x") == "/tools/x"
    home = bash(box, "cd ~ && pwd").output.strip()
    assert not Path(home).exists()
