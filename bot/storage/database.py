"""Connections and migrations: SQLite by default, PostgreSQL by URL, the same statements on both."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from bot.config.urls import database_url

if TYPE_CHECKING:
    from alembic.config import Config


def connect(url: str) -> sa.Engine:
    """Return an engine for the database `url`.

    SQLite uses WAL and full synchronisation, and its write transactions lock the database when they begin.
    """
    engine = sa.create_engine(database_url(url), pool_pre_ping=True)
    if engine.dialect.name == "sqlite":
        _make_private(engine.url.database)

        @sa.event.listens_for(engine, "connect")
        def _configure(connection: Any, _record: Any) -> None:
            connection.isolation_level = None
            cursor = connection.cursor()
            for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=30000", "foreign_keys=ON"):
                cursor.execute(f"PRAGMA {pragma}")
            cursor.close()

        @sa.event.listens_for(engine, "begin")
        def _begin(connection: sa.Connection) -> None:
            # Otherwise a transaction that reads first and writes later fails when another one writes.
            if connection.get_execution_options().get("isolation_level") != "AUTOCOMMIT":
                connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def _make_private(path: str | None) -> None:
    """Make the file of an SQLite database, which only this account may read.

    SQLite gives the files beside it the same permissions.
    """
    if path and path != ":memory:" and Path(path).parent.is_dir():
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))


def migrate(engine: sa.Engine, revision: str = "head") -> None:
    """Migrate the database to the newest schema, or to `revision`; does nothing if it has it already."""
    from alembic import command  # takes megabytes of memory, and workers never need it

    with engine.begin() as connection:
        command.upgrade(_alembic(connection), revision)


def is_current(engine: sa.Engine) -> bool:
    """Return whether the database has the newest schema."""
    from alembic.migration import MigrationContext
    from alembic.script import ScriptDirectory

    with engine.connect() as connection:
        newest = ScriptDirectory.from_config(_alembic(connection)).get_current_head()
        return MigrationContext.configure(connection).get_current_revision() == newest


def _alembic(connection: sa.Connection) -> "Config":
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    return config


# In seconds. No delay or lease is longer, so a later time was written before the clock was set back.
LONGEST_WAIT = 4000.0


def passed(moment: sa.ColumnElement[float], now: float) -> sa.ColumnElement[bool]:
    """Return the condition that the time in a column is over, or too late to be right (`LONGEST_WAIT`)."""
    return sa.or_(moment < now, moment > now + LONGEST_WAIT)


@contextmanager
def reading(engine: sa.Engine) -> Iterator[sa.Connection]:
    """Open a connection that only reads: it takes no lock and sees committed data."""
    with engine.connect() as plain:
        yield plain.execution_options(isolation_level="AUTOCOMMIT")


@contextmanager
def writing_ahead(engine: sa.Engine) -> Iterator[sa.Connection]:
    """Begin a transaction whose commit does not wait for the disk.

    It survives a crash of this process. A power cut can undo it until the next transaction is committed,
    which makes it durable as well: both databases write their logs in order.
    https://www.sqlite.org/pragma.html#pragma_synchronous
    https://www.postgresql.org/docs/current/wal-async-commit.html
    """
    with engine.connect() as db:
        if engine.dialect.name != "sqlite":
            with db.begin():
                db.execute(sa.text("SET LOCAL synchronous_commit TO OFF"))
                yield db
            return
        raw = db.connection.cursor()  # no transaction has begun yet, in which SQLite refuses the change
        raw.execute("PRAGMA synchronous=NORMAL")
        try:
            with db.begin():
                yield db
        finally:
            raw.execute("PRAGMA synchronous=FULL")
            raw.close()


def insert(db: sa.Connection, table: sa.Table) -> Any:
    """Return an INSERT with ON CONFLICT, which both databases support and the SQL standard does not."""
    dialect = postgresql if db.dialect.name == "postgresql" else sqlite
    return dialect.insert(table)


def add_row(db: sa.Connection, table: sa.Table, row: Mapping[str, Any]) -> bool:
    """Insert a row; returns False, and changes nothing, if there is one with the same key."""
    statement = insert(db, table).values(row).on_conflict_do_nothing()
    return db.execute(statement.returning(table.c.id)).first() is not None
