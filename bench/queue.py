"""A queue of runs on one machine, with a model that replies at once: throughput and cost by queue length.

RUNS="50 500 5000" sets the numbers of runs that are requested at once (50 and 1,000 unless set), WINDOW=60
the seconds of work that are measured for each (30 unless set).
"""

import os
import statistics
import time
from collections.abc import Mapping
from pathlib import Path

import httpx
import sqlalchemy as sa
from rich.console import Console
from rich.table import Table

from bot.forges.local.adapter import LocalForge
from bot.log.events import Entry
from bot.log.state import RunState, fold
from bot.storage.tables import artifacts, events, runs
from bot.worker.celery_app import WakeUps, make_celery
from runners.contract.events import ModelReplied
from runners.models.chat import Reply
from tests.support.harness import REPO, SECRET, BotUnderTest, doubling, draft

_EVENTS = 10_000
_PROCESSES = ("web", "intake", "publish", "runs")


def run(console: Console) -> None:
    """Measure and print."""
    table = Table(
        "runs asked for",
        "deliveries",
        "accepted a second",
        "p50",
        "p99",
        "done a minute",
        "database a run",
        "messages left",
        *_PROCESSES,
        title="runs that wait",
    )
    window = float(os.environ.get("WINDOW", "30"))
    for number in map(int, os.environ.get("RUNS", "50 1000").split()):
        row = (str(number), *_queue(number, window))
        console.print(", ".join(row), style="dim")  # printed now, because the next row may take minutes
        table.add_row(*row)
    console.print(table)
    _fold(console)


class Client:
    """A client that posts deliveries one after the other. `took` has the seconds that each answer took."""

    def __init__(self, port: int) -> None:
        self._http = httpx.Client(base_url=f"http://127.0.0.1:{port}")
        self.took: list[float] = []

    def deliver(self, headers: Mapping[str, str], body: bytes) -> None:
        started = time.perf_counter()
        answer = self._http.post("/webhooks/local", content=body, headers=dict(headers), timeout=30)
        self.took.append(time.perf_counter() - started)
        assert answer.status_code == 202, answer.text


def _queue(number: int, window: float) -> list[str]:
    """Open and label `number` issues (two deliveries each), and return the row of the table.

    The work is measured after `window` more seconds, or when all runs have ended.
    """
    with BotUnderTest({"reap_seconds": 5.0, "lease_seconds": 30.0}) as bot:
        bot.script([draft()], doubling())
        repo = bot.make_repo()
        client = Client(bot.port)
        forge = LocalForge(
            bot.store.engine, bot.state_dir / "forge", send=client.deliver, secret=SECRET.encode()
        )
        started = time.monotonic()
        for _ in range(number):
            issue = forge.open_issue(REPO, "ada", "Double", "Doubling 4 should give 8.").number
            forge.add_label(repo.full_name, issue, "agent:implement", "ada")
        accepted = len(client.took) / sum(client.took)
        until = time.monotonic() + window
        while time.monotonic() < until and _ended(bot) < number:
            time.sleep(1)
        seconds = time.monotonic() - started
        rows = bot.store.list_runs(number + 1)
        done = [row.id for row in rows if row.status != "active"]
        assert all(row.status in ("done", "active") for row in rows), {row.status for row in rows}
        memory = [f"{_memory(bot.group.pid(name)):.0f} MB" for name in _PROCESSES]
        took = statistics.quantiles(client.took, n=100)
        wake_ups = WakeUps(make_celery(f"redis+socket://{bot.state_dir}/redis/redis.sock"))
        left = sum(wake_ups.waiting(queue) for queue in ("intake", "runs", "publish"))
        return [
            str(len(client.took)),
            f"{accepted:.0f}",
            f"{took[49] * 1000:.1f} ms",
            f"{took[98] * 1000:.1f} ms",
            f"{len(done) / seconds * 60:.1f}",
            f"{_stored(bot, done) / max(1, len(done)) / 1000:.0f} kB",
            str(left),
            *memory,
        ]


def _ended(bot: BotUnderTest) -> int:
    with bot.store.engine.connect() as db:
        query = sa.select(sa.func.count()).select_from(runs).where(runs.c.status != "active")
        return int(db.execute(query).scalar() or 0)


def _stored(bot: BotUnderTest, done: list[str]) -> int:
    """Return the bytes of the rows of the runs `done`."""
    with bot.store.engine.connect() as db:
        log = db.execute(
            sa.select(sa.func.sum(sa.func.length(events.c.data))).where(events.c.run_id.in_(done))
        ).scalar()
        kept = db.execute(
            sa.select(sa.func.sum(sa.func.length(artifacts.c.data))).where(artifacts.c.run_id.in_(done))
        ).scalar()
    return int(log or 0) + int(kept or 0)


def _memory(pid: int) -> float:
    """Return the proportional set size of a process and its children in MB."""
    pids = [pid, *map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())]
    total = 0.0
    for each in pids:
        lines = Path(f"/proc/{each}/smaps_rollup").read_text().splitlines()
        total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024
    return total


def _fold(console: Console) -> None:
    """Measure the fold of a run with many events: the whole log, and one more event."""
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
