"""`scenarist up`: everything on one machine, once a state folder, and gone when it is told to go."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx

from bot.worker.processes import free_port
from tests.support.harness import wait_until

ROOT = Path(__file__).parents[2]


def _up(state: Path, port: int) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "bot", "up", "--port", str(port)],
        env={**os.environ, "SCENARIST_STATE_DIR": str(state), "SCENARIST_MODEL_URL": "http://127.0.0.1:9/v1"},
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def _processes(state: Path) -> list[str]:
    """Process ids of whatever has this state folder in its environment."""
    found = []
    for place in Path("/proc").glob("[0-9]*/environ"):
        try:
            if str(state).encode() in place.read_bytes():
                found.append(place.parent.name)
        except OSError:
            continue
    return found


def test_it_comes_up_alone_and_leaves_nothing() -> None:
    with TemporaryDirectory(prefix="scn-") as folder:  # a unix socket's path has to be short
        state = Path(folder)
        port = free_port()
        first = _up(state, port)
        try:

            def answers() -> bool:
                assert first.poll() is None
                try:
                    return httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=2).is_success
                except httpx.HTTPError:
                    return False

            wait_until(answers, "the web app")
            second = _up(state, free_port())
            said, _ = second.communicate(timeout=60)
            assert second.returncode != 0
            assert "SCN-7015" in said and f"process {first.pid}" in said and "Traceback" not in said
            assert answers(), "the first one goes on"
            first.send_signal(signal.SIGTERM)
            said, _ = first.communicate(timeout=60)
            assert first.returncode == 0, said
            assert f"listens on http://127.0.0.1:{port}" in said and "Stopping." in said
            wait_until(lambda: not _processes(state), "the end of all its processes", 10)
        finally:
            first.kill()
