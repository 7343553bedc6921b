"""A vLLM server on the CPU, as `make test-vllm` installs it."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx

from bot.worker.processes import free_port
from tests.support.waiting import wait_until

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
        """Start the server and wait until the command reports its speed."""
        env = {**os.environ, "VLLM_CPU_KVCACHE_SPACE": "1", "HF_HUB_OFFLINE": "1", "PYTHONUNBUFFERED": "1"}
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                self._command, stdout=log, stderr=log, env=env, start_new_session=True
            )
        before = self.log().count("at once")

        def said() -> bool:
            assert self.process.poll() is None, self.log()[-3000:]
            return self.log().count("at once") > before

        wait_until(said, "the server's start")

    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def kill(self) -> None:
        """Kill the server and all its processes with SIGKILL."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def metric(self, name: str) -> float:
        """Return the sum of a metric over its labels; `name` may contain labels: `name{reason="abort"}`."""
        pattern = re.escape(name.rstrip("}")).replace(r"\{", r"\{[^}]*") + r"[^ ]* ([0-9.e+-]+)$"
        text = httpx.get(f"{self.root}/metrics", timeout=60).text
        return sum(float(found) for found in re.findall(f"^{pattern}", text, re.MULTILINE))
