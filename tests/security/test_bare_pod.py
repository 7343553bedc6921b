"""Where the pod is the only sandbox, a command is a process of the worker's own user."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CANARY = "the-key-of-the-model"
# A worker, and a command of it that looks at the worker.
WORKER = """
import os, subprocess, sys
from runners.sandbox.process import hide_from_same_user
if sys.argv[1] == "hidden":
    hide_from_same_user()
look = "cat /proc/$PPID/environ | tr '\\\\0' '\\\\n'; : < /proc/$PPID/mem && echo memory"
sys.stdout.write(subprocess.run(["sh", "-c", look], env={"PATH": os.defpath}, capture_output=True, text=True).stdout)
"""


@pytest.mark.parametrize("worker", ["hidden", "open"])
def test_a_command_reads_neither_the_environment_nor_the_memory_of_its_worker(worker: str) -> None:
    # As in a pod all of root's capabilities are dropped.
    root = os.geteuid() == 0
    dropped = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] if root else []
    done = subprocess.run(
        [*dropped, sys.executable, "-c", WORKER, worker],
        env={
            "PATH": os.environ["PATH"],
            "SCENARIST_MODEL_API_KEY": CANARY,
            "PYTHONPATH": str(ROOT),
            "PYTHONDONTWRITEBYTECODE": "1",
        },
        capture_output=True,
        text=True,
        check=True,
    )
    assert (CANARY in done.stdout) == (worker == "open")
    assert "memory" not in done.stdout or worker == "open"
