"""The time that the sandbox adds to a command."""

import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.table import Table

from runners.sandbox.bubblewrap import Sandbox

_ROUNDS = 100


def run(console: Console) -> None:
    """Measure and print the time of `true` as a plain process and in the sandbox, in turn."""
    with tempfile.TemporaryDirectory() as tmp:
        sandbox = Sandbox(Path(tmp))
        plain, boxed = [], []
        for _ in range(_ROUNDS):
            plain.append(_timed(lambda: subprocess.run(["true"], check=True)))
            boxed.append(_timed(lambda: sandbox.run(["true"])))
    table = Table(title=f"`true`, {_ROUNDS} times each, milliseconds")
    for column in ("", "median", "p95"):
        table.add_column(column, justify="left" if not column else "right")
    for name, values in (("subprocess", plain), ("sandbox", boxed)):
        table.add_row(
            name, f"{statistics.median(values):.2f}", f"{statistics.quantiles(values, n=20)[-1]:.2f}"
        )
    console.print(table)
    over = statistics.median(boxed) - statistics.median(plain)
    console.print(f"Overhead {over:.2f} ms. Goal, at most 8 ms: {'reached' if over <= 8 else 'MISSED'}\n")


def _timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return (time.perf_counter() - started) * 1000
