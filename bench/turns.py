"""The time of a turn of our loop and of mini-swe-agent's, on the same scripted commands."""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx
from rich.console import Console
from rich.table import Table

from bot.worker.processes import free_port

_ROOT = Path(__file__).parents[1]
_PEERS = _ROOT / "bench" / "peers"
_MINI = "mini-swe-agent==2.4.6"
_TURNS = 200


def run(console: Console) -> None:
    """Measure and print."""
    mini = _installed(console)
    rows = {
        "this loop: HTTP, sandbox, log": _measured([sys.executable], "own_turns.py", "shell"),
        "mini-swe-agent: scripted model, no sandbox": _measured([mini], "mini_turns.py", None),
        "mini-swe-agent: HTTP (litellm), no sandbox": _measured([mini], "mini_turns.py", "bash"),
    }
    own = rows["this loop: HTTP, sandbox, log"]["ms"]
    table = Table(
        "one turn with one command", "ms (median)", "of ours", "MB at most", title=f"{_TURNS} turns"
    )
    for name, row in rows.items():
        table.add_row(name, f"{row['ms']:.1f}", f"{own / row['ms']:.2f}x", f"{row['mb']:.0f}")
    console.print(table)


def _installed(console: Console) -> str:
    folder = _ROOT / ".cache" / _MINI.replace("==", "-")
    python = folder / "bin" / "python"
    if not (folder / "complete").exists():
        console.print(f"Installing {_MINI} …", style="dim")
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        subprocess.run(
            [python, "-m", "pip", "install", "--quiet", _MINI, "mcp"], check=True
        )  # litellm needs mcp
        (folder / "complete").touch()
    return str(python)


def _measured(python: list[str], script: str, tool: str | None) -> dict[str, float]:
    """Run `script` and return its measurements; a server's replies call `tool` (None: no server)."""
    with tempfile.TemporaryDirectory() as folder:
        port, server = free_port(), None
        if tool is not None:
            command = [sys.executable, str(_PEERS / "model_server.py"), str(port), tool]
            server = subprocess.Popen(command)
        try:
            if tool is not None:
                _until_up(port)
            url = f"http://127.0.0.1:{port}/v1" if tool is not None else ""
            words = [*python, str(_PEERS / script), url, str(_TURNS), folder]
            done = subprocess.run(
                words,
                capture_output=True,
                text=True,
                check=True,
                cwd=_ROOT,
                env={"PYTHONPATH": str(_ROOT), "PATH": "/usr/bin:/bin"},
            )
        finally:
            if server is not None:
                server.kill()
                server.wait()
        row: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
        assert row["turns"] == _TURNS, row
        return row


def _until_up(port: int) -> None:
    ask = {"messages": [], "stream": False}
    while True:
        try:
            httpx.post(f"http://127.0.0.1:{port}/v1/chat/completions", json=ask, timeout=2).raise_for_status()
        except httpx.TransportError:
            time.sleep(0.05)
        else:
            return
