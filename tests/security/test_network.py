"""Ways to reach anything outside."""

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from runners.sandbox.bubblewrap import Sandbox

ROOT = pytest.mark.needs("root")  # for the control


def python(workspace: Path, program: str, *, guarded: bool) -> str:
    return (
        Sandbox(workspace, unsafe=not guarded).run([sys.executable, "-c", f"import socket\n{program}"]).output
    )


@pytest.fixture
def tcp() -> Iterator[int]:
    """A server of the host on 127.0.0.1 that greets whoever connects."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=greet, args=(server,), daemon=True).start()
        yield server.getsockname()[1]


def greet(server: socket.socket) -> None:
    while True:
        try:
            client, _ = server.accept()
        except OSError:
            return
        with client:
            client.sendall(b"reached")


def test_attack_connect_by_tcp(workspace: Path, tcp: int) -> None:
    program = f"print(socket.create_connection(('127.0.0.1', {tcp}), 3).recv(9))"
    assert "reached" in python(workspace, program, guarded=False)
    assert "Connection refused" in python(workspace, program, guarded=True)


@pytest.mark.parametrize(
    "address", ["169.254.169.254", "10.0.0.1", "1.1.1.1", "::ffff:169.254.169.254", "2606:4700::1111"]
)
def test_attack_connect_to_another_machine(workspace: Path, address: str) -> None:
    program = (
        f"s = socket.socket(socket.AF_INET6 if ':' in '{address}' else "
        f"socket.AF_INET)\ns.connect(('{address}', 80))"
    )
    assert "unreachable" in python(workspace, program, guarded=True)
    control = subprocess.run(
        ["cat", "/proc/net/route", "/proc/net/dev"], capture_output=True, text=True
    ).stdout
    inside = Sandbox(workspace).run(["cat", "/proc/net/route", "/proc/net/dev"]).output
    assert inside.count("\n") < control.count("\n") and inside.count(":") == 1, inside


def test_attack_send_by_udp(workspace: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(3)
        port = receiver.getsockname()[1]
        program = f"socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'out', ('127.0.0.1', {port}))"
        python(workspace, program, guarded=False)
        assert receiver.recv(9) == b"out"
        python(workspace, program, guarded=True)
        receiver.settimeout(0.2)
        with pytest.raises(TimeoutError):
            receiver.recv(9)


def test_attack_ask_a_name_server(workspace: Path) -> None:
    """A question to a name server carries data out."""
    asked = python(workspace, "print(socket.getaddrinfo('secret.example.com', 80))", guarded=True)
    assert "gaierror" in asked
    assert Sandbox(workspace).run(["cat", "/etc/resolv.conf"]).exit_code != 0
    assert Path("/etc/resolv.conf").exists()
    assert "127.0.0.1" in python(workspace, "print(socket.getaddrinfo('localhost', 80))", guarded=True)


@pytest.mark.parametrize("abstract", [False, True])
def test_attack_connect_to_a_unix_socket_of_the_host(workspace: Path, tmp_path: Path, abstract: bool) -> None:
    address = f"\0scenarist-{os.getpid()}" if abstract else str(tmp_path / "docker.sock")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(address)
        server.listen()
        threading.Thread(target=greet, args=(server,), daemon=True).start()
        program = f"s = socket.socket(socket.AF_UNIX); s.connect({address!r}); print(s.recv(9))"
        assert "reached" in python(workspace, program, guarded=False)
        assert "reached" not in python(workspace, program, guarded=True)


def test_attack_connect_to_a_socket_left_in_the_workspace(workspace: Path) -> None:
    """The one thing both sides see is the workspace: nothing of the host may listen there."""
    path = workspace / "s"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()
        program = "s = socket.socket(socket.AF_UNIX); s.connect('s'); print('reached')"
        # This does work, and is why the bot never makes a socket in a workspace.
        assert "reached" in python(workspace, program, guarded=True)


@pytest.mark.parametrize(
    ("family", "name"), [(40, "AF_VSOCK"), (17, "AF_PACKET"), (38, "AF_ALG"), (31, "AF_BLUETOOTH")]
)
def test_attack_leave_by_another_kind_of_socket(
    workspace: Path, family: int, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = (
        "import ctypes\nlibc = ctypes.CDLL(None, use_errno=True)\n"
        f"print(libc.socket({family}, {2 if family != 40 else 1}, 0) >= 0, ctypes.get_errno())"
    )
    assert python(workspace, program, guarded=True) == "False 97\n"
    monkeypatch.setattr("runners.sandbox.seccomp.program", lambda **_limits: None)
    bare = python(workspace, program, guarded=True)
    if name == "AF_PACKET":  # every Linux has it; without the filter it only lacks the right
        assert bare != "False 97\n"


def test_attack_change_the_network(workspace: Path) -> None:
    program = (
        "import fcntl, struct\ns = socket.socket()\n"
        "try: fcntl.ioctl(s, 0x8914, struct.pack('16sh', b'lo', 0).ljust(40, b'\\0')); print('changed')\n"
        "except OSError as e: print(e.errno)"
    )
    assert python(workspace, program, guarded=True) == "1\n"


@ROOT
def test_attack_forge_packets(workspace: Path) -> None:
    program = "socket.socket(socket.AF_INET, socket.SOCK_RAW, 1); print('forged')"
    assert "forged" in python(workspace, program, guarded=False)
    assert "forged" not in python(workspace, program, guarded=True)
