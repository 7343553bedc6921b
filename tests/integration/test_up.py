"""`scenarist up`: everything on one machine, once for each state folder, and nothing is left when it ends."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import pytest

from bot.worker.processes import free_port
from tests.support.processes import processes_of
from tests.support.waiting import wait_until

ROOT = Path(__file__).parents[2]


@pytest.fixture
def state() -> Iterator[Path]:
    with TemporaryDirectory(prefix="scn-") as folder:  # a unix socket's path has to be short
        yield Path(folder)


@contextmanager
def up(state: Path, port: int) -> Iterator["subprocess.Popen[str]"]:
    """`scenarist up`, which ends with the context at the latest."""
    with subprocess.Popen(
        [sys.executable, "-m", "bot", "up", "--port", str(port)],
        env={**os.environ, "SCENARIST_STATE_DIR": str(state), "SCENARIST_MODEL_URL": "http://127.0.0.1:9/v1"},
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def comes_up(process: "subprocess.Popen[str]", port: int) -> None:
    """Wait for the line that says that it is ready: from then on the port answers."""
    assert process.stdout is not None
    said = process.stdout.readline()
    assert f"listens on http://127.0.0.1:{port}" in said, said + process.stdout.read()
    assert httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=60).is_success


def test_it_comes_up_alone_and_leaves_nothing(state: Path) -> None:
    port = free_port()
    with up(state, port) as first:
        comes_up(first, port)
        with up(state, free_port()) as second:
            said, _ = second.communicate()
        assert second.returncode != 0
        assert "SCN-7015" in said and f"process {first.pid}" in said and "Traceback" not in said
        assert httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=60).is_success, "the first one goes on"
        assert first.stdout is not None
        token = state / "operator-token"
        pages = first.stdout.readline()
        assert pages == f"Its pages are there, too; sign in with the token in {token}.\n"
        # What keeps runs from starting.
        assert "scenarist setup github" in first.stdout.readline()
        assert "SCN-4001" in first.stdout.readline()
        first.send_signal(signal.SIGTERM)
        said, _ = first.communicate()
        assert first.returncode == 0, said
        assert said.endswith("Stopping.\n") and "Traceback" not in said
        assert not processes_of(state)


def test_on_a_taken_port_it_says_so_and_never_that_it_listens(state: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with up(state, port) as process:
            said, _ = process.communicate()
    assert process.returncode == 2
    assert said.startswith(
        f"SCN-6103: Scenarist cannot listen on 127.0.0.1, port {port}: Address already in use"
    )
    assert "listens on" not in said and "Traceback" not in said
    assert not processes_of(state)


def test_its_processes_end_when_it_is_killed(state: Path) -> None:
    port = free_port()
    with up(state, port) as process:
        comes_up(process, port)
        names = " ".join(processes_of(state).values())
        assert all(word in names for word in ("redis-server", " serve ", "--queues intake", "--queues runs"))
        process.kill()
        process.wait()
        wait_until(lambda: not processes_of(state), "the end of all its processes")
    with up(state, port) as again:
        comes_up(again, port)
