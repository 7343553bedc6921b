"""Deliveries a second of this app, Probot and a bare ASGI app, on one machine in one run."""

import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import httpx
import sqlalchemy as sa
from redis import Redis
from rich.console import Console
from rich.table import Table

from bench.load import SECRET, Measured, measure, payload
from bot.storage.database import connect, migrate
from bot.storage.tables import deliveries
from bot.worker.processes import Processes, free_port, processes, scenarist, start_redis, wait_for
from tests.standins.emulator import make_key
from tests.standins.npm import PROBOT, node

_ROUNDS = 3
_SECONDS = 4


def run(console: Console) -> None:
    """Measure and print."""
    with ExitStack() as stack:
        tmp = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="scn-bench-")))
        group = stack.enter_context(processes(tmp / "logs"))
        urls = {
            "scenarist": _scenarist(group, tmp),
            "probot": _probot(group),
            "bare ASGI + HMAC": _bare(group),
        }
        ignored, accepted = payload("bug"), payload("agent:implement")
        console.print(
            f"Signed issues.labeled, {len(ignored):,} bytes, {_ROUNDS} rounds of {_SECONDS} s, medians."
        )
        for connections in (16, 32):
            _ignored(console, urls, ignored, connections)
            _accepted(console, urls["scenarist"], accepted, connections)
        _none_lost(console, tmp)


def _median(measured: list[Measured]) -> Measured:
    return sorted(measured, key=lambda each: each.rate)[len(measured) // 2]


def _ignored(console: Console, urls: dict[str, str], body: bytes, connections: int) -> None:
    found: dict[str, list[Measured]] = {name: [] for name in urls}
    for round_ in range(_ROUNDS):
        for name, url in urls.items():
            mark = f"i{connections}-{round_}"
            found[name].append(measure(url, body, connections=connections, seconds=_SECONDS, name=mark))
    table = Table(title=f"Ignored events, {connections} connections")
    for column in ("server", "events/s", "p50 ms", "p99 ms", "errors", "x probot"):
        table.add_column(column, justify="left" if column == "server" else "right")
    peer = _median(found["probot"]).rate
    for name, rounds in found.items():
        middle = _median(rounds)
        p99 = statistics.median(each.p99 for each in rounds)
        errors = sum(each.errors for each in rounds)
        table.add_row(
            name,
            f"{middle.rate:,.0f}",
            f"{middle.p50:.2f}",
            f"{p99:.2f}",
            str(errors),
            f"{middle.rate / peer:.2f}",
        )
    console.print(table)
    ours = _median(found["scenarist"]).rate
    console.print(f"Goal, at least as fast as Probot: {'reached' if ours >= peer else 'MISSED'}\n")


_answers = {"stored": 0}


def _accepted(console: Console, url: str, body: bytes, connections: int) -> None:
    rounds = []
    for round_ in range(_ROUNDS):
        mark = f"a{connections}-{round_}-{time.monotonic_ns()}"
        rounds.append(measure(url, body, connections=connections, seconds=_SECONDS, name=mark))
    _answers["stored"] += sum(each.answers for each in rounds)
    middle, p99 = _median(rounds), statistics.median(each.p99 for each in rounds)
    console.print(
        f"Accepted events (stored durably, enqueued), {connections} connections: {middle.rate:,.0f}/s, "
        f"p50 {middle.p50:.2f} ms, p99 {p99:.2f} ms, {sum(each.errors for each in rounds)} errors"
    )
    if connections == 16:
        reached = middle.rate >= 1000 and p99 < 50
        console.print(f"Goal, 1,000/s with p99 under 50 ms: {'reached' if reached else 'MISSED'}\n")


def _none_lost(console: Console, tmp: Path) -> None:
    """Check that each answered delivery is a row, and that each row's id is in a message of the queue."""
    engine = connect(f"sqlite:///{tmp / 'scenarist.db'}")
    with engine.connect() as db:
        stored = set(db.execute(sa.select(deliveries.c.id)).scalars())
    engine.dispose()
    redis = Redis(unix_socket_path=str(tmp / "redis" / "redis.sock"))
    deadline = time.monotonic() + 30
    told: set[str] = set()
    while len(told) < len(stored) and time.monotonic() < deadline:
        told = _told(redis)
        time.sleep(0.2)
    lost = len(stored - told)
    console.print(
        f"{_answers['stored']:,} accepted answers, {len(stored):,} rows, {len(told):,} ids in the queue: "
        f"{lost} lost. (Requests cut off at the end of a round are rows without an answer.)\n"
    )


def _told(redis: "Redis") -> set[str]:
    import base64

    ids: set[str] = set()
    for message in redis.lrange("intake", 0, -1):
        body = json.loads(base64.b64decode(json.loads(message)["body"]))
        ids.update(body[0][0])
    return ids


def _up(url: str) -> Callable[[], bool]:
    def up() -> bool:
        try:
            httpx.get(url, timeout=2)
        except httpx.HTTPError:
            return False
        return True

    return up


def _scenarist(group: Processes, tmp: Path) -> str:
    port = free_port()
    migrate(connect(f"sqlite:///{tmp / 'scenarist.db'}"))
    env = {
        "SCENARIST_STATE_DIR": str(tmp),
        "SCENARIST_BROKER_URL": start_redis(group, tmp / "redis"),
        "SCENARIST_GITHUB_WEBHOOK_SECRET": SECRET,
    }
    group.start("scenarist", scenarist("serve", "--port", str(port)), env)
    wait_for(_up(f"http://127.0.0.1:{port}/healthz"), group, "Scenarist")
    return f"http://127.0.0.1:{port}/webhooks/github"


def _bare(group: Processes) -> str:
    port = free_port()
    serve = [
        "-m",
        "uvicorn",
        "bench.peers.bare:app",
        "--port",
        str(port),
        "--log-level",
        "warning",
        "--no-access-log",
    ]
    group.start(
        "bare", [sys.executable, *serve, "--loop", "uvloop", "--http", "httptools"], {"BENCH_SECRET": SECRET}
    )
    wait_for(_up(f"http://127.0.0.1:{port}/"), group, "The bare app")
    return f"http://127.0.0.1:{port}/"


def _probot(group: Processes) -> str:
    port = free_port()
    env = {
        "BENCH_SECRET": SECRET,
        "BENCH_KEY": make_key(),
        "PORT": str(port),
        "PROBOT_HOME": str(PROBOT.home),
        "NODE_ENV": "production",
    }
    group.start("probot", [node(), str(Path(__file__).parent / "peers" / "probot.mjs")], env)
    wait_for(_up(f"http://127.0.0.1:{port}/"), group, "Probot")
    return f"http://127.0.0.1:{port}/webhooks/github"
