"""Ways to write where only reading is allowed, to leave the database, and to learn its password."""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import redis

from runners.tools.backends.databases import Databases
from tests.support.databases import database_context, postgresql, redis_server, sqlite
from tests.support.tool_context import call

pytestmark = pytest.mark.xdist_group("postgres")

WRITES = [
    "INSERT INTO books VALUES (3, 'x', 1)",
    "DELETE FROM books",
    "WITH gone AS (DELETE FROM books RETURNING *) SELECT * FROM gone",
    "SELECT 1; DELETE FROM books",
    "SELECT 1; COMMIT; DELETE FROM books",
    "COMMIT",
    "SELECT * INTO copy FROM books",
    "EXPLAIN ANALYZE DELETE FROM books",
    "SELECT set_config('transaction_read_only', 'off', false); DELETE FROM books",
    "SELECT nextval('numbers')",
    "SELECT empty_books()",
    "SELECT * FROM books FOR UPDATE",
    "DO $$ BEGIN DELETE FROM books; END $$",
    "/* SELECT */ DELETE FROM books",
    "-- SELECT\nDELETE FROM books",
    "SELECT lo_create(4711)",
    "SELECT set_config('transaction_read_only', 'off', false), empty_books()",
    "TRUNCATE books",
    "CREATE TABLE evil (a int)",
    "COPY books TO '/tmp/books'",
    "COPY books TO PROGRAM 'touch /tmp/pwned'",
]


@pytest.fixture
def postgres(postgres_server: str) -> Iterator[str]:
    with postgresql(postgres_server) as (url, _):
        with psycopg.connect(url) as db:
            db.execute("CREATE SEQUENCE numbers")
            db.execute("CREATE FUNCTION empty_books() RETURNS void LANGUAGE sql AS 'DELETE FROM books'")
            db.execute(
                "CREATE FUNCTION unlock_and_empty() RETURNS void LANGUAGE plpgsql AS $$ BEGIN "
                "PERFORM set_config('transaction_read_only', 'off', true); DELETE FROM books; END $$"
            )
        yield url


def state(url: str) -> tuple[object, ...]:
    with psycopg.connect(url) as db:
        tables = db.execute(
            "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'public'"
        ).fetchone()
        return (
            db.execute("SELECT count(*), min(price) FROM books").fetchone(),
            tables,
            db.execute("SELECT is_called FROM numbers").fetchone(),
            db.execute("SELECT count(*) FROM pg_largeobject_metadata").fetchone(),
        )


@pytest.mark.parametrize("statement", [*WRITES, "SELECT unlock_and_empty()"])
def test_attack_write_in_a_read_only_query(postgres: str, tmp_path: Path, statement: str) -> None:
    ctx = database_context(tmp_path, {"books": postgres})
    before = state(postgres)
    result = call(ctx, "sql_query", database="books", statement=statement)
    assert not result.ok or "lo_create" in statement, result.text
    assert state(postgres) == before
    # The control: the same is a write, or an end of the transaction, for whoever is allowed to.
    if "COPY" not in statement and statement != "COMMIT":
        with psycopg.connect(postgres, autocommit=True) as db:
            with contextlib.suppress(psycopg.errors.InvalidTransactionTermination):
                db.execute(statement.replace("COMMIT; ", ""))
            changed = state(postgres) != before or "FOR UPDATE" in statement
        assert changed, "the control changed nothing"


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM books",
        "WITH x AS (SELECT 1) DELETE FROM books",
        "SELECT 1; DELETE FROM books",
        "ATTACH '{other}' AS evil",
        "VACUUM INTO '{other}'",
        "PRAGMA writable_schema = 1",
        "PRAGMA journal_mode = DELETE",
        "SELECT load_extension('evil')",
        "EXPLAIN DELETE FROM books; DELETE FROM books",
    ],
)
@pytest.mark.parametrize("tool", ["sql_query", "sql_execute"])
def test_attack_write_or_leave_sqlite(tmp_path: Path, statement: str, tool: str) -> None:
    url, other = sqlite(tmp_path), tmp_path / "other.db"
    ctx = database_context(tmp_path, {"books": url})
    line = statement.format(other=other)
    result = call(ctx, tool, database="books", statement=line)
    with contextlib.closing(sqlite3.connect(tmp_path / "books.db")) as db:
        count = db.execute("SELECT count(*) FROM books").fetchone()[0]
    if tool == "sql_query" or "DELETE FROM" not in line:
        assert not result.ok, result.text
        assert count == 2
    assert not other.exists()
    if line.startswith(("ATTACH", "VACUUM")):  # the control
        with contextlib.closing(sqlite3.connect(tmp_path / "books.db")) as db:
            db.execute(line)
            if line.startswith("ATTACH"):
                db.execute("CREATE TABLE evil.t (a)")
        assert other.exists()


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT pg_read_file('/etc/passwd')",
        "SELECT pg_ls_dir('/')",
        "SELECT lo_import('/etc/passwd')",
        "SELECT * FROM pg_authid",
        "SELECT pg_reload_conf()",
        "SELECT dblink('host=127.0.0.1', 'DELETE FROM books')",
        "SHOW hba_file",
    ],
)
def test_attack_read_the_server(postgres: str, postgres_server: str, tmp_path: Path, statement: str) -> None:
    ctx = database_context(tmp_path, {"books": postgres})
    assert not call(ctx, "sql_query", database="books", statement=statement).ok
    if "dblink" not in statement and "lo_import" not in statement:
        with psycopg.connect(f"{postgres_server}/postgres") as db:  # the control: a superuser's account can
            db.execute(statement)


def test_attack_learn_the_password(postgres: str, tmp_path: Path) -> None:
    with redis_server(tmp_path) as cache:
        urls = {"books": postgres, "cache": cache, "gone": "postgresql://u:hunter2-gone@127.0.0.1:1/x"}
        ctx = database_context(tmp_path, {**urls, "bad": "redis://:hunter2-bad@127.0.0.1:1"})
        assert "hunter2" in "".join(urls.values())
        for tool, arguments in [
            ("sql_query", {"database": "books", "statement": "SELECT current_setting('x')"}),
            ("sql_query", {"database": "books", "statement": "SELECT * FROM pg_stat_activity"}),
            ("sql_query", {"database": "gone", "statement": "SELECT 1"}),
            ("sql_query", {"database": "hunter", "statement": "SELECT 1"}),
            ("sql_schema", {"database": "books"}),
            ("redis_get", {"database": "bad", "key": "x"}),
            ("redis_get", {"database": "cache", "key": "x"}),
        ]:
            result = call(ctx, tool, **arguments)
            assert "hunter2" not in result.model_dump_json()
        assert "hunter2" not in repr(call(ctx, "read_file", path="x"))


def test_attack_a_command_in_a_redis_key(tmp_path: Path) -> None:
    """Keys and values with line ends are no commands of the protocol."""
    with redis_server(tmp_path) as url:
        ctx = database_context(tmp_path, {"cache": url})
        client = redis.Redis.from_url(url)
        client.set("kept", "1")
        evil = 'x"\r\n*1\r\n$8\r\nFLUSHALL\r\n'
        for tool, arguments in [
            ("redis_get", {"key": evil}),
            ("redis_scan", {"pattern": evil}),
            ("redis_set", {"key": evil, "value": evil}),
        ]:
            call(ctx, tool, database="cache", **arguments)
        assert client.get("kept") == b"1" and client.get(evil) == evil.encode()
        client.flushall()  # the control
        assert client.get("kept") is None
        client.close()


def test_attack_fill_the_runner_with_an_answer(postgres: str, tmp_path: Path) -> None:
    ctx = database_context(tmp_path, {"books": postgres, "small": sqlite(tmp_path)})
    wide = call(
        ctx, "sql_query", database="books", statement="SELECT repeat('x', 5000000) FROM generate_series(1, 5)"
    )
    assert len(wide.text) < 17_000
    refused = call(ctx, "sql_query", database="small", statement="SELECT hex(zeroblob(900000000))")
    assert not refused.ok and "too big" in refused.text
    assert isinstance(ctx.resources[0], Databases)
