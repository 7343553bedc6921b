"""A worker that is told to stop leaves no stack trace and no files."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.support.waiting import wait_until

ROOT = Path(__file__).parents[5]


def test_a_worker_that_is_told_to_stop_says_no_stack_trace(tmp_path: Path, closed_port: int) -> None:
    env = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "SCENARIST_STATE_DIR": str(tmp_path / "state"),
        "SCENARIST_BROKER_URL": f"redis://127.0.0.1:{closed_port}/0",
    }
    said = tmp_path / "said"
    with said.open("wb") as out:
        words = [sys.executable, "-m", "bot", "worker", "--queues", "intake"]
        worker = subprocess.Popen(words, env=env, stdout=out, stderr=subprocess.STDOUT, cwd=tmp_path)
    try:
        # The beat process and the worker itself, in whatever order.
        for words_said in (b"Connection error", b"Cannot connect"):
            wait_until(lambda: words_said in said.read_bytes(), words_said.decode())  # noqa: B023 - at once
        worker.send_signal(signal.SIGTERM)
        worker.wait(120)
    finally:
        worker.kill()
        worker.wait()
    assert b"Traceback" not in said.read_bytes()
    assert list((tmp_path / "state" / "tmp").iterdir()) == []
