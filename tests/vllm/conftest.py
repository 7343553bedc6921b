"""A real vLLM server on the CPU: `make test-vllm` installs it, and the models are made on the spot."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from bot.worker.processes import free_port

ROOT = Path(__file__).parents[2]
PYTHON = os.environ.get("VLLM_PYTHON", str(ROOT / ".cache/vllm/bin/python"))
CONTEXT = 8192


class Vllm:
    """A vLLM server started by `scenarist models serve`."""

    def __init__(self, model: Path, log: Path, context: int = CONTEXT) -> None:
        self.port = free_port()
        self._log = log
        self._command = [
            *(sys.executable, "-m", "bot", "models", "serve", str(model), "--python", PYTHON),
            *("--port", str(self.port), "--context-length", str(context)),
            *("--", "--served-model-name", "tiny", "--dtype", "bfloat16", "--enforce-eager"),
        ]
        self.start()

    @property
    def root(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"{self.root}/v1"

    def start(self) -> None:
        """Start it and wait until the command says how fast it is."""
        env = {**os.environ, "VLLM_CPU_KVCACHE_SPACE": "1", "HF_HUB_OFFLINE": "1", "PYTHONUNBUFFERED": "1"}
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                self._command, stdout=log, stderr=log, env=env, start_new_session=True
            )
        before = self.log().count("at once")
        deadline = time.monotonic() + 170
        while self.log().count("at once") <= before:
            assert self.process.poll() is None, self.log()[-3000:]
            assert time.monotonic() < deadline, self.log()[-3000:]
            time.sleep(0.2)

    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def kill(self) -> None:
        """kill -9 of the server and all its processes."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def metric(self, name: str) -> float:
        """The sum of a metric over its labels; `name` may hold some of them: `name{reason="abort"}`."""
        pattern = re.escape(name.rstrip("}")).replace(r"\{", r"\{[^}]*") + r"[^ ]* ([0-9.e+-]+)$"
        text = httpx.get(f"{self.root}/metrics", timeout=20).text
        return sum(float(found) for found in re.findall(f"^{pattern}", text, re.MULTILINE))


@pytest.fixture(scope="session", autouse=True)
def _installed() -> None:
    assert Path(PYTHON).exists(), "run `make test-vllm`, which installs vLLM"


@pytest.fixture(scope="session")
def vllm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vllm]:
    """A server with random weights."""
    folder = tmp_path_factory.mktemp("vllm")
    subprocess.run([PYTHON, ROOT / "tests/vllm/tiny_model.py", folder / "model"], check=True, timeout=120)
    server = Vllm(folder / "model", folder / "log")
    yield server
    server.kill()
