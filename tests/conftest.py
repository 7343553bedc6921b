"""What all tests share."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.embedded import free_port
from bot.runs.database import connect, migrate
from bot.runs.store import Store


def _binary(name: str) -> str | None:
    """PostgreSQL's programs lie outside of the PATH in Debian."""
    found = shutil.which(name)
    if found:
        return found
    places = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), reverse=True)
    return str(places[0]) if places else None


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A PostgreSQL of this test process's own; its URL without a database name."""
    initdb, server = _binary("initdb"), _binary("postgres")
    if initdb is None or server is None:
        pytest.fail("PostgreSQL is missing: install Debian's package `postgresql`.")
    folder = tmp_path_factory.mktemp("postgres")
    # PostgreSQL refuses to run as root.
    user = {"user": "nobody", "group": "nogroup"} if os.geteuid() == 0 else {}
    if user:
        shutil.chown(folder, "nobody", "nogroup")
        for parent in folder.parents:
            if parent.is_relative_to(tmp_path_factory.getbasetemp().parent.parent):
                parent.chmod(0o755)
    data = folder / "data"
    subprocess.run(
        [initdb, "-D", str(data), "-U", "scenarist", "-A", "trust", "--no-sync"],
        check=True,
        capture_output=True,
        cwd="/",
        **user,
    )
    port = free_port()
    process = subprocess.Popen(
        [server, "-D", str(data), "-p", str(port), "-h", "127.0.0.1", "-k", str(folder), "-F"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd="/",
        **user,
    )
    try:
        url = f"postgresql://scenarist@127.0.0.1:{port}"
        _wait_for_postgres(process, url)
        yield url
    finally:
        process.terminate()
        process.wait()


def _wait_for_postgres(process: subprocess.Popen[bytes], url: str) -> None:
    import psycopg

    deadline = time.monotonic() + 30
    while True:
        try:
            psycopg.connect(f"{url}/postgres").close()
        except psycopg.OperationalError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return


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
def closed_port() -> int:
    """A port where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
