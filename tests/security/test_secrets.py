"""What a command or a tool might read: the host's files, environments, descriptors, keys, other processes."""

import ctypes
import os
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from runners.sandbox.bubblewrap import Sandbox
from runners.tools.base import ToolContext
from tests.support.attacks import Attack
from tests.support.tool_context import call

ROOT = pytest.mark.needs("root")  # for the control


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "app-key.pem"
    path.write_text(f"canary-{uuid.uuid4()}")
    return path


def test_attack_read_a_file_of_the_host(guarded: Attack, unguarded: Attack, secret: Path) -> None:
    assert secret.read_text() in unguarded(f"cat {secret}").output
    assert "No such file" in guarded(f"cat {secret}").output


def test_attack_read_the_app_key_through_a_link(
    guarded: Attack, unguarded: Attack, secret: Path, workspace: Path
) -> None:
    (workspace / "link").symlink_to(secret)
    assert secret.read_text() in unguarded("cat link").output
    assert "No such file" in guarded("cat link").output


def test_attack_find_the_key_anywhere(guarded: Attack, unguarded: Attack, secret: Path) -> None:
    search = f"find / -xdev -name {secret.name} -not -path '/proc/*' 2>/dev/null | head -1"
    assert secret.name in unguarded(f"find {secret.parent} -name {secret.name}").output
    assert guarded(search).output == ""


@pytest.mark.parametrize("name", [".ssh/id_ed25519", ".netrc", ".git-credentials", ".config/gh/hosts.yml"])
def test_attack_read_the_home_of_the_runner(workspace: Path, tmp_path: Path, name: str) -> None:
    home = tmp_path / "home"
    (home / name).parent.mkdir(parents=True)
    (home / name).write_text("canary")
    read = ["bash", "-c", f"cat ~/{name} {home}/{name}"]
    environ = {**os.environ, "HOME": str(home)}
    assert "canary" in subprocess.run(read, env=environ, capture_output=True, text=True).stdout
    before = os.environ.get("HOME")
    os.environ["HOME"] = str(home)
    try:
        assert "canary" not in Sandbox(workspace).run(read).output
    finally:
        os.environ["HOME"] = before or "/"


PLACES = [
    "env",
    "cat /proc/self/environ",
    "cat /proc/1/environ",
    "cat /proc/*/environ",
    "cat /proc/$PPID/environ",
]


@pytest.mark.parametrize("look", PLACES)
def test_attack_read_the_environment_of_the_runner(workspace: Path, look: str) -> None:
    mark = f"canary-{uuid.uuid4()}"
    # A child that holds the token, and starts the sandbox from there.
    program = (
        "import sys; from pathlib import Path; from runners.sandbox.bubblewrap import Sandbox\n"
        f"print(Sandbox(Path({str(workspace)!r})).run(['bash', '-c', {look!r}]).output)"
    )
    environ = {**os.environ, "SCENARIST_GITHUB_TOKEN": mark}
    guarded = subprocess.run([sys.executable, "-c", program], env=environ, capture_output=True, text=True)
    assert guarded.returncode == 0 and mark not in guarded.stdout, guarded.stderr
    control = look.replace("/1/", "/self/").replace("/*/", "/self/")
    plain = subprocess.run(["bash", "-c", f"bash -c '{control}'; true"], env=environ, capture_output=True)
    assert mark.encode() in plain.stdout


def test_attack_see_other_processes(guarded: Attack, unguarded: Attack) -> None:
    mark = f"--token={uuid.uuid4()}"
    look = "cat /proc/[0-9]*/cmdline | tr '\\0' ' '"
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)", mark]) as process:
        try:
            assert mark in unguarded(look).output
            assert mark not in guarded(look).output
        finally:
            process.kill()


def test_attack_signal_other_processes(guarded: Attack, unguarded: Attack) -> None:
    for attack, ends in ((guarded, False), (unguarded, True)):
        with subprocess.Popen(["sleep", "60"]) as process:
            attack(f"kill -9 {process.pid}")
            attack("kill -9 -1") if attack is guarded else None
            assert (
                (process.poll() is not None or process.wait() is not None) if ends else process.poll() is None
            )
            process.kill()


def test_attack_use_an_inherited_descriptor(workspace: Path, secret: Path) -> None:
    with secret.open() as file:
        os.set_inheritable(file.fileno(), True)
        read = ["bash", "-c", f"cat <&{file.fileno()}"]
        assert secret.read_text() not in Sandbox(workspace).run(read).output
        control = subprocess.run(read, close_fds=False, capture_output=True, text=True)
        assert secret.read_text() in control.stdout


def test_attack_leave_through_the_descriptor_of_a_folder(
    guarded: Attack, unguarded: Attack, secret: Path
) -> None:
    for root in ("/proc/self/root", "/proc/1/root", "/proc/self/cwd/.."):
        place = f"{root}/../{secret}" if "cwd" not in root else f"{root}/{secret.name}"
        assert secret.read_text() not in guarded(f"cat {place}").output
    assert secret.read_text() in unguarded(f"cat /proc/self/root{secret}").output


@ROOT
def test_attack_read_the_disk_itself(guarded: Attack, unguarded: Attack) -> None:
    assert "made" in unguarded("mknod d b 7 0 && echo made").output
    assert "made" not in guarded("mknod e b 7 0 && echo made").output
    # One that is there already does not help either: the workspace's devices are not opened.
    assert "denied" in guarded("head -c 1 d").output


@ROOT
def test_attack_read_the_messages_of_the_kernel(workspace: Path) -> None:
    number = 103 if os.uname().machine == "x86_64" else 116
    read = (
        "import ctypes; b = ctypes.create_string_buffer(9999); "
        f"print(ctypes.CDLL(None).syscall({number}, 3, b, 9999))"
    )
    assert int(subprocess.run([sys.executable, "-c", read], capture_output=True, text=True).stdout) > 0
    assert Sandbox(workspace).run([sys.executable, "-c", read]).output == "-1\n"


KEYS = """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
found = libc.syscall(250 if __import__('platform').machine() == 'x86_64' else 219, 10, -4, b'user', b'{name}', 0)
buffer = ctypes.create_string_buffer(100)
libc.syscall(250 if __import__('platform').machine() == 'x86_64' else 219, 11, found, buffer, 100)
print(buffer.value.decode())
"""


@pytest.mark.needs("kernel keys")
def test_attack_read_a_key_of_the_kernels_keyring(workspace: Path) -> None:
    name = f"scenarist-{uuid.uuid4()}"
    numbers = (248, 250) if os.uname().machine == "x86_64" else (217, 219)
    libc = ctypes.CDLL(None, use_errno=True)
    key = libc.syscall(numbers[0], b"user", name.encode(), b"canary", 6, -4)
    try:
        read = [sys.executable, "-c", KEYS.format(name=name)]
        assert "canary" in subprocess.run(read, capture_output=True, text=True).stdout
        assert "canary" not in Sandbox(workspace).run(read).output
    finally:
        libc.syscall(numbers[1], 3, key)  # KEYCTL_REVOKE


@pytest.mark.parametrize("path", ["/proc/self/environ", "/etc/shadow", "/proc/1/cmdline", "../app-key.pem"])
def test_attack_have_a_tool_read_outside(ctx: ToolContext, path: str, tmp_path: Path) -> None:
    (tmp_path / "app-key.pem").write_text("canary")
    # The control: the same path leads to something for whoever just opens it.
    assert (ctx.root / path).exists()
    for name in ("read_file", "list_files", "search", "file_info", "diff_files", "git_show", "git_blame"):
        arguments = {"path": path, **({"pattern": "."} if name == "search" else {})}
        arguments |= {"end_line": 1} if name == "git_blame" else {}
        result = call(ctx, name, **arguments)
        assert not result.ok and "outside the workspace" in result.text, name


def test_attack_have_a_tool_read_through_a_link(ctx: ToolContext, secret: Path) -> None:
    (ctx.root / "link").symlink_to(secret)
    (ctx.root / "folder").symlink_to(secret.parent)
    assert (
        (ctx.root / "link").read_text()
        == (ctx.root / "folder" / secret.name).read_text()
        == secret.read_text()
    )
    for path in ("link", f"folder/{secret.name}"):
        read = call(ctx, "read_file", path=path).text
        assert "leads through a link" in read and secret.read_text() not in read
        assert secret.read_text() not in call(ctx, "diff_files", path=path).text
    assert secret.read_text() not in call(ctx, "search", pattern="canary").text
    assert secret.name not in call(ctx, "list_files", depth=5).text
    assert secret.read_text() not in call(ctx, "git_diff").text


def test_attack_have_a_tool_print_a_token(ctx: ToolContext) -> None:
    token = "ghs_" + "a1B2" * 9
    (ctx.root / "leaked").write_text(f"TOKEN={token}\n")
    assert token in (ctx.root / "leaked").read_text()
    for result in (
        call(ctx, "read_file", path="leaked"),
        call(ctx, "shell", command="cat leaked"),
        call(ctx, "search", pattern="TOKEN"),
        call(ctx, "git_diff"),
    ):
        assert "[redacted]" in result.text and token not in result.model_dump_json()
