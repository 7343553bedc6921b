"""What all tests share."""

import gc
import os
import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.storage.database import connect, migrate
from bot.storage.store import Store
from tests.support.machine import skip_without
from tests.support.postgres import PostgresServer

# Processes that tests start inherit this; with it each would compile the whole bot anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """See `tests.support.machine`."""
    skip_without(item)


def pytest_collection_finish() -> None:
    """Keep what stays until the end, thousands of tests among it, out of each round of the collector."""
    gc.freeze()


@pytest.fixture(autouse=True)
def temporary_folder() -> Iterator[None]:
    """Give each test this process's own folder for temporary files back: commands choose one for theirs."""
    before = os.environ.get("TMPDIR"), tempfile.tempdir
    yield
    if before[0] is None:
        os.environ.pop("TMPDIR", None)
    else:
        os.environ["TMPDIR"] = before[0]
    tempfile.tempdir = before[1]


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A PostgreSQL of this test process's own; its URL without a database name."""
    folder = tmp_path_factory.mktemp("postgres")
    for parent in folder.parents:  # it runs as somebody else where the tests run as root
        if os.geteuid() == 0 and parent.is_relative_to(tmp_path_factory.getbasetemp().parent.parent):
            parent.chmod(0o755)
    with PostgresServer(folder) as server:
        yield server.url


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty database of each kind."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'scenarist.db'}"
        return
    import psycopg

    server: str = request.getfixturevalue("postgres_server")
    name = f"t{time.monotonic_ns()}"
    with psycopg.connect(f"{server}/postgres", autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}")
    yield f"{server}/{name}"
    with psycopg.connect(f"{server}/postgres", autocommit=True) as admin:
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    """A migrated store on each kind of database."""
    engine = connect(database_url)
    migrate(engine)
    yield Store(engine)
    engine.dispose()


@pytest.fixture
def sqlite_store(tmp_path: Path) -> Iterator[Store]:
    """A migrated store on SQLite, for tests to which the kind of database is all the same."""
    engine = connect(f"sqlite:///{tmp_path / 'bot.db'}")
    migrate(engine)
    yield Store(engine)
    engine.dispose()


@pytest.fixture
def closed_port() -> int:
    """A port where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
