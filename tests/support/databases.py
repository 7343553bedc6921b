"""Databases for the tests of the tools: PostgreSQL with an ordinary account, SQLite and Redis, each with the
same data."""

import contextlib
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import redis

from bot.worker.processes import free_port, redis_binary
from runners.policy.capabilities import Grants, Policy
from runners.tools.backends.databases import Databases
from runners.tools.base import ToolContext
from tests.support.tool_context import context
from tests.support.waiting import wait_until

TABLE = "CREATE TABLE books (id INTEGER PRIMARY KEY, title TEXT, price NUMERIC)"
BOOKS = [(1, "Emma", 8), (2, "Ulysses", 12.5)]


@contextlib.contextmanager
def postgresql(server: str) -> Iterator[tuple[str, str]]:
    """Yield two URLs of a new database: for an ordinary account and for the superuser."""
    name = f"t{time.monotonic_ns()}"
    with psycopg.connect(f"{server}/postgres", autocommit=True) as admin:
        admin.execute(f"CREATE ROLE {name} LOGIN PASSWORD 'hunter2-{name}'")
        admin.execute(f"CREATE DATABASE {name} OWNER {name}")
    host = server.rpartition("@")[2]
    url = f"postgresql://{name}:hunter2-{name}@{host}/{name}"
    with psycopg.connect(url) as db:
        db.execute(TABLE)
        for book in BOOKS:
            db.execute("INSERT INTO books VALUES (%s, %s, %s)", book)
    try:
        yield url, f"{server}/{name}"
    finally:
        with psycopg.connect(f"{server}/postgres", autocommit=True) as admin:
            admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
            admin.execute(f"DROP ROLE {name}")


def sqlite(folder: Path) -> str:
    path = folder / "books.db"
    with contextlib.closing(sqlite3.connect(path)) as db, db:
        db.execute(TABLE)
        db.executemany("INSERT INTO books VALUES (?, ?, ?)", BOOKS)
    return f"sqlite:///{path}"


@contextlib.contextmanager
def redis_server(folder: Path) -> Iterator[str]:
    port = free_port()
    words = [
        redis_binary(),
        "--port",
        str(port),
        "--bind",
        "127.0.0.1",
        "--requirepass",
        "hunter2-redis",
        "--save",
        "",
    ]
    with subprocess.Popen([*words, "--dir", str(folder)], stdout=subprocess.DEVNULL) as server:
        url = f"redis://:hunter2-redis@127.0.0.1:{port}/0"
        client = redis.Redis.from_url(url)

        def answers() -> bool:
            with contextlib.suppress(redis.ConnectionError):
                return bool(client.ping())
            return False

        wait_until(answers, "Redis")
        try:
            yield url
        finally:
            client.close()
            server.kill()


def database_context(folder: Path, urls: dict[str, str], *allow: str, **more: float) -> ToolContext:
    """Return a context with the databases `urls`; all may be read and written unless `allow` is given."""
    policy = Policy(role="full", repository=Grants(allow=allow or ("database.*",)))
    return context(folder, policy=policy, resources=(Databases(urls, **more),))
