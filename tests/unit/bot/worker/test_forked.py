"""Processes that are forked from one that has imported the bot."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from bot import __version__
from bot.worker.forked import ForkServer
from bot.worker.processes import listen, processes
from tests.support.harness import fork_server
from tests.support.waiting import HANG_S, wait_until


@pytest.fixture
def server() -> Iterator[ForkServer]:
    made = ForkServer()
    yield made
    made.close()


def test_a_command_has_its_own_output_environment_and_status(tmp_path: Path) -> None:
    with processes(tmp_path, server=fork_server()) as group:
        group.start_command("right", ["version"])
        group.start_command("wrong", ["runs"], {"SCENARIST_DATABASE_URL": "nonsense"})
        wait_until(lambda: not group.is_up("right") and not group.is_up("wrong"), "their ends")
        ends = [child.process.returncode for child in group._children]
    assert ends == [0, 2]
    assert (tmp_path / "right.log").read_text() == f"{__version__}\n"
    assert "SCN-7001" in (tmp_path / "wrong.log").read_text()


def test_it_serves_the_socket_that_it_inherits_and_is_listed_by_its_own_name(tmp_path: Path) -> None:
    with listen("127.0.0.1", 0) as listener, processes(tmp_path / "logs", server=fork_server()) as group:
        env = {"SCENARIST_STATE_DIR": str(tmp_path), "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
        group.start_command("web", ["serve", "--fd", str(listener.fileno())], env, (listener.fileno(),))
        port = listener.getsockname()[1]
        assert httpx.get(f"http://127.0.0.1:{port}/healthz", timeout=HANG_S).is_success
        place = Path(f"/proc/{group.pid('web')}")
        assert f"bot serve --fd {listener.fileno()}" in (place / "cmdline").read_text().replace("\0", " ")
        assert os.getpgid(group.pid("web")) == os.getsid(group.pid("web")) == group.pid("web")
        group.kill("web")
        assert not group.is_up("web")


def test_it_ends_when_nobody_has_its_lifeline(tmp_path: Path) -> None:
    with listen("127.0.0.1", 0) as listener, (tmp_path / "log").open("wb") as log:
        args = ["serve", "--fd", str(listener.fileno())]
        env = {"SCENARIST_STATE_DIR": str(tmp_path), "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
        forked = fork_server().start(args, env, log.fileno(), [listener.fileno()])
        assert forked.poll() is None
        forked.stdin.close()
        assert forked.wait(HANG_S) == -signal.SIGKILL


def test_a_server_that_was_killed_is_replaced(tmp_path: Path, server: ForkServer) -> None:
    with (tmp_path / "log").open("wb") as log:
        first = server.start(["version"], {}, log.fileno(), [])
        assert first.wait(HANG_S) == 0
        assert server._process is not None
        server._process.kill()
        server._process.wait()
        second = server.start(["version"], {}, log.fileno(), [])
        assert second.wait(HANG_S) == 0
        first.stdin.close()
        second.stdin.close()
