"""Many runs waiting on one machine, with an instant model: runs a minute, and how cost grows with their number.

RUNS="5 50" chooses how many are asked for at once.
"""

import os
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bot.runs.events import Entry
from bot.runs.state import RunState, fold
from runners.events import ModelReplied
from runners.models.chat import Reply
from tests.harness import BotUnderTest, doubling, draft

_EVENTS = 10_000


def run(console: Console) -> None:
    """Measure and print."""
    table = Table(
        "runs",
        "runs a minute",
        "database a run",
        "web",
        "intake",
        "publish",
        "runs worker",
        title="runs that wait",
    )
    for number in map(int, os.environ.get("RUNS", "3 30").split()):
        table.add_row(str(number), *_queue(number))
    console.print(table)
    _fold(console)


def _queue(number: int) -> list[str]:
    with BotUnderTest() as bot:
        bot.script([draft()], doubling())
        repos = [bot.make_repo(f"octo/r{each}") for each in range(number)]
        issues = [
            bot.forge.open_issue(each.full_name, "ada", "Double", "Doubling 4 should give 8.")
            for each in repos
        ]
        started = time.monotonic()
        for repo, issue in zip(repos, issues, strict=True):
            bot.forge.add_label(repo.full_name, issue.number, "agent:implement", "ada")
        while True:
            time.sleep(0.2)
            rows = bot.store.list_runs(10_000)
            if len(rows) == number and all(row.status != "active" for row in rows):
                break
        seconds = time.monotonic() - started
        assert all(row.status == "done" for row in rows), [row.status for row in rows]
        size = sum(each.stat().st_size for each in bot.state_dir.glob("scenarist.db*"))
        memory = [f"{_memory(bot.group.pid(name)):.0f} MB" for name in ("web", "intake", "publish", "runs")]
        return [f"{number / seconds * 60:.1f}", f"{size / number / 1000:.0f} kB", *memory]


def _memory(pid: int) -> float:
    """Proportional set size of a process and its children, in MB."""
    pids = [pid, *map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())]
    total = 0.0
    for each in pids:
        lines = Path(f"/proc/{each}/smaps_rollup").read_text().splitlines()
        total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024
    return total


def _fold(console: Console) -> None:
    """The state of a run of many events, from nothing and by one more event."""
    event = ModelReplied(phase="implement", reply=Reply(text="x" * 200), seconds=1.0)
    entries = [
        Entry(seq=seq, at="2026-01-01T00:00:00.000+00:00", event=event) for seq in range(1, _EVENTS + 1)
    ]
    started = time.perf_counter()
    state = fold(entries[:-1])
    whole = time.perf_counter() - started
    started = time.perf_counter()
    assert isinstance(fold(entries[-1:], state), RunState)
    one = time.perf_counter() - started
    console.print(f"Fold of {_EVENTS:,} events: {whole * 1000:.0f} ms; one more event: {one * 1000:.2f} ms\n")
