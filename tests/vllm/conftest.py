"""A real vLLM server on the CPU: `make test-vllm` installs it, and the models are made on the spot."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.vllm_server import PYTHON, ROOT, Vllm


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
