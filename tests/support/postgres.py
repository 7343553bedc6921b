"""A PostgreSQL server for tests, on a free port; it can be killed and started again."""

import os
import shutil
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Self

import psycopg

from bot.worker.processes import free_port
from tests.support.waiting import wait_until


def _binary(name: str) -> str:
    """Return the path of one of PostgreSQL's programs, which Debian installs outside of the PATH."""
    places = sorted(map(str, Path("/usr/lib/postgresql").glob(f"*/bin/{name}")), reverse=True)
    found = shutil.which(name) or next(iter(places), None)
    if found is None:
        raise FileNotFoundError("PostgreSQL is missing: install Debian's package `postgresql`.")
    return found


class PostgresServer:
    """A server with its data in `folder`, as a context manager; `url` is without a database name.

    With `durable` it writes to the disk at once, so that it can be killed.
    """

    def __init__(self, folder: Path, *, durable: bool = False) -> None:
        self._data = folder / "data"
        self._folder = folder
        self._flags = () if durable else ("-F",)
        # PostgreSQL refuses to run as root.
        self._user: dict[str, str] = {"user": "nobody", "group": "nogroup"} if os.geteuid() == 0 else {}
        self._port = free_port()
        self.url = f"postgresql://scenarist@127.0.0.1:{self._port}"

    def __enter__(self) -> Self:
        if self._user:
            shutil.chown(self._folder, "nobody", "nogroup")
        subprocess.run(
            [_binary("initdb"), "-D", str(self._data), "-U", "scenarist", "-A", "trust", "--no-sync"],
            check=True,
            capture_output=True,
            cwd="/",
            **self._user,
        )
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.wait()

    def start(self) -> None:
        """Start the server and wait until it answers."""
        words = [_binary("postgres"), "-D", str(self._data), "-p", str(self._port), "-h", "127.0.0.1"]
        self._process = subprocess.Popen(
            [*words, "-k", str(self._folder), *self._flags],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            **self._user,
        )
        wait_until(self._answers, "PostgreSQL")

    def _answers(self) -> bool:
        try:
            psycopg.connect(f"{self.url}/postgres").close()
        except psycopg.OperationalError:
            if self._process.poll() is not None:
                raise
            return False
        return True

    def kill(self) -> None:
        """Kill the server with SIGKILL, like a crash; its other processes then end."""
        self._process.kill()
        self._process.wait()

    def create(self, name: str) -> str:
        """Make a new database; returns its URL."""
        with psycopg.connect(f"{self.url}/postgres", autocommit=True) as admin:
            admin.execute(f"CREATE DATABASE {name}")
        return f"{self.url}/{name}"
