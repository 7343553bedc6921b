"""Databases for a model: it uses their names, never sees their connection URLs, and works within limits.

Reading is made read-only by the database itself, with one statement at a time: a transaction that PostgreSQL
opened as read-only cannot be changed from within
(https://www.postgresql.org/docs/current/sql-set-transaction.html).
"""

import contextlib
import re
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from runners.policy.refused import Refused

if TYPE_CHECKING:
    import redis

_READING = ("select", "with", "values", "table", "explain", "show")
_CELL = 300
_MAX_VALUE = 1_000_000
_SQLITE_STEPS = 10_000
# What SQL may ask SQLite to do besides reading: nothing that opens another file or a library.
_SQLITE_REFUSED = (sqlite3.SQLITE_ATTACH, sqlite3.SQLITE_DETACH)
_PRAGMAS = ("table_info", "table_xinfo", "index_list", "index_info", "foreign_key_list", "table_list")


@dataclass(frozen=True)
class Rows:
    """The result of a statement: names of columns, rows as text, whether there were more, and how many
    were changed.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    more: bool = False
    changed: int = -1


@dataclass(frozen=True)
class Databases:
    """`urls` maps a name to ``postgresql://…``, ``sqlite:///PATH`` or ``redis://…``.

    `seconds` bounds a statement, `max_rows` what is kept of its answer.
    """

    urls: Mapping[str, str]
    seconds: float = 10.0
    max_rows: int = 200

    def query(self, name: str, statement: str) -> Rows:
        """Run one statement that only reads. Raises `Refused`."""
        first = re.match(r"(?:\s|--[^\n]*\n|/\*.*?\*/|\()*([a-zA-Z]+)", statement, re.DOTALL)
        if first is None or first[1].lower() not in _READING:
            raise Refused(f"Only statements that read are allowed here: {', '.join(_READING).upper()}.")
        return self._run(name, statement, writes=False)

    def execute(self, name: str, statement: str) -> Rows:
        """Run one statement and commit it. Raises `Refused`."""
        return self._run(name, statement, writes=True)

    def schema(self, name: str) -> Rows:
        """Return the tables with their columns. Raises `Refused`."""
        if self._kind(name) == "sqlite":
            return self._run(
                name, "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY 1", writes=False
            )
        return self._run(
            name,
            "SELECT table_schema || '.' || table_name, string_agg(column_name || ' ' || data_type, ', ' "
            "ORDER BY ordinal_position) FROM information_schema.columns "
            "WHERE table_schema NOT IN ('pg_catalog', 'information_schema') GROUP BY 1 ORDER BY 1",
            writes=False,
        )

    def _run(self, name: str, statement: str, *, writes: bool) -> Rows:
        kind = self._kind(name)
        if "\0" in statement:
            raise Refused("The statement holds a NUL character.")
        if kind == "postgresql":
            return self._postgresql(name, statement, writes=writes)
        if kind == "sqlite":
            return self._sqlite(name, statement, writes=writes)
        raise Refused(f"`{name}` is a {kind} database. Use the tools for that.")

    def _postgresql(self, name: str, statement: str, *, writes: bool) -> Rows:
        import psycopg  # some megabytes that most workers never need

        options = (
            f"-c statement_timeout={round(1000 * self.seconds)} -c lock_timeout={round(1000 * self.seconds)}"
        )
        options += "" if writes else " -c default_transaction_read_only=on"
        try:
            connection = psycopg.connect(self.urls[name], options=options, connect_timeout=10)
        except psycopg.Error:
            raise Refused(f"The database `{name}` cannot be reached. Go on without it.") from None
        try:
            with connection:
                connection.read_only = not writes
                superuser = connection.execute(
                    "SELECT rolsuper FROM pg_roles WHERE rolname = current_user"
                ).fetchone()
                if superuser and superuser[0]:
                    # It could read and write the server's own files, whatever the transaction.
                    raise Refused(
                        f"The account of `{name}` is a superuser's, which is not allowed. Go on without it."
                    )
                # Prepared: the server then takes one statement and no second one behind a semicolon.
                cursor = connection.execute(statement.encode(), prepare=True)
                rows = self._rows(cursor.description, cursor.fetchmany, cursor.rowcount)
                if not writes:
                    # Before version 16 large objects could be made in a read-only transaction.
                    connection.rollback()
                return rows
        except (psycopg.Error, UnicodeEncodeError) as error:
            raise Refused(f"The database says: {_first_lines(str(error))}") from None

    def _rows(self, description: Any, fetch: Any, changed: int) -> Rows:
        if description is None:
            return Rows((), (), changed=changed)
        found = fetch(self.max_rows + 1)
        rows = tuple(tuple(_cell(value) for value in row) for row in found[: self.max_rows])
        return Rows(tuple(str(column[0]) for column in description), rows, len(found) > self.max_rows)

    def _sqlite(self, name: str, statement: str, *, writes: bool) -> Rows:
        path = Path(unquote(urlsplit(self.urls[name]).path)[1:] or ":none:")
        mode = "rw" if writes else "ro"
        deadline = time.monotonic() + self.seconds
        try:
            connection = sqlite3.connect(
                f"{path.absolute().as_uri()}?mode={mode}", uri=True, timeout=self.seconds
            )
        except sqlite3.Error:
            raise Refused(f"The database `{name}` cannot be opened. Go on without it.") from None
        with contextlib.closing(connection):
            connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _MAX_VALUE)
            connection.set_authorizer(_authorise)
            connection.set_progress_handler(lambda: time.monotonic() > deadline, _SQLITE_STEPS)
            try:
                with connection:
                    cursor = connection.execute(statement)
                    return self._rows(cursor.description, cursor.fetchmany, cursor.rowcount)
            except (sqlite3.Error, sqlite3.Warning, UnicodeEncodeError) as error:
                late = " It took too long." if time.monotonic() > deadline else ""
                raise Refused(f"The database says: {_first_lines(str(error))}{late}") from None

    @contextlib.contextmanager
    def redis(self, name: str) -> "Iterator[redis.Redis]":
        """Connect to the Redis `name`. Raises `Refused`, also for errors in the block."""
        if self._kind(name) not in ("redis", "rediss"):
            raise Refused(f"`{name}` is no Redis. Use the tools for SQL.")
        import redis  # takes 0.1 s to import, which every command line of the bot would pay

        client = redis.Redis.from_url(self.urls[name], socket_timeout=self.seconds, socket_connect_timeout=10)
        try:
            with contextlib.closing(client):
                yield client
        except (redis.ConnectionError, redis.TimeoutError):
            raise Refused(f"The database `{name}` cannot be reached. Go on without it.") from None
        except redis.RedisError as error:
            raise Refused(f"Redis says: {_first_lines(str(error))}") from None

    def _kind(self, name: str) -> str:
        if name not in self.urls:
            raise Refused(
                f"There is no database `{name[:80]}`. There are: {', '.join(sorted(self.urls)) or 'none'}."
            )
        scheme = urlsplit(self.urls[name]).scheme.partition("+")[0]
        return "postgresql" if scheme == "postgres" else scheme


def _authorise(
    action: int, first: str | None, second: str | None, _db: str | None, _trigger: str | None
) -> int:
    if action in _SQLITE_REFUSED:
        return sqlite3.SQLITE_DENY
    if action == sqlite3.SQLITE_PRAGMA:
        return sqlite3.SQLITE_OK if first in _PRAGMAS else sqlite3.SQLITE_DENY
    if action == sqlite3.SQLITE_FUNCTION and second in (
        "load_extension",
        "writefile",
        "readfile",
        "edit",
        "fts3_tokenizer",
    ):
        return sqlite3.SQLITE_DENY
    return sqlite3.SQLITE_OK


def _cell(value: Any) -> str:
    text = "NULL" if value is None else repr(value) if isinstance(value, bytes | memoryview) else str(value)
    return text if len(text) <= _CELL else f"{text[:_CELL]}[… {len(text) - _CELL:,} more]"


def _first_lines(text: str) -> str:
    return " / ".join(line.strip() for line in text.strip().splitlines()[:3])[:500]


def table(rows: Rows) -> str:
    """Return rows as text: names, then values, separated by ``|``."""
    lines = [
        " | ".join(rows.columns),
        *(" | ".join(cell.replace("\n", "\\n") for cell in row) for row in rows.rows),
    ]
    return "\n".join(
        [*lines, *(["[… there are more rows. Ask for fewer with LIMIT and WHERE …]"] if rows.more else [])]
    )


def shown(value: Any, items: Sequence[Any] = ()) -> str:
    """Return a value of Redis as text."""
    if isinstance(value, bytes):
        return _cell(value.decode(errors="replace"))
    return "\n".join(shown(item) for item in items) if items else _cell(value)
