"""What `scenarist gc` removes, and what it leaves alone."""

import fcntl
import os
import time
from pathlib import Path

import pytest
import sqlalchemy as sa
from typer.testing import CliRunner

from bot.cli.app import app
from bot.cli.operate.gc import Removed, collect
from bot.config.settings import Settings
from bot.log.events import RunRequested
from bot.storage.database import connect, migrate
from bot.storage.store import Store
from bot.storage.tables import artifacts, deliveries, runs
from runners.contract.workorder import WorkOrder
from runners.git.workspaces import Workspaces

DAY = 24 * 3600


class Machine:
    """A state folder with a database, mirrors and environments of chosen ages."""

    def __init__(self, folder: Path) -> None:
        self.settings = Settings.model_validate({"state_dir": folder})
        folder.mkdir(exist_ok=True)
        self.store = Store(connect(self.settings.database))
        migrate(self.store.engine)
        self.workspaces = Workspaces(folder)

    def run(self, repo: str, days: float, status: str) -> str:
        order = WorkOrder(
            kind="implement", number=1, title="t", body="b", requested_by="ada", requested_at=""
        )
        request = RunRequested(
            forge="local", repo=repo, order=order, order_sha256=order.digest, key=f"{repo} {days} {status}"
        )
        run = self.store.request_run(request, target=f"{repo} {days} {status}", exclusive=True)
        assert run is not None
        with self.store.engine.begin() as db:
            values = {"status": status, "created_at": time.time() - days * DAY}
            db.execute(sa.update(runs).where(runs.c.id == run).values(**values))
            row = {"run_id": run, "name": "work", "size": 1000, "sha256": "", "data": b"x" * 1000}
            db.execute(sa.insert(artifacts).values(row))
        return run

    def delivery(self, name: str, days: float, state: str) -> None:
        row = {
            "id": name,
            "forge": "local",
            "guid": name,
            "event": "issues",
            "body_sha256": "",
            "body": b"",
            "received_at": time.time() - days * DAY,
            "state": state,
            "due_at": 0.0,
        }
        with self.store.engine.begin() as db:
            db.execute(sa.insert(deliveries).values(row))

    def mirror(self, repo: str, days: float, size: int = 0) -> Path:
        mirror = self.workspaces.mirror("local", repo)
        with mirror.lock():
            (mirror.path / "pack").write_bytes(b"x" * size)
        _aged(mirror.path.with_suffix(".lock"), days)
        return mirror.path

    def environment(self, repo: str, key: str, days: float) -> Path:
        home = (
            self.workspaces.state_dir / "environments" / self.workspaces.mirror("local", repo).path.stem / key
        )
        (home / "env").mkdir(parents=True)
        (home / "env" / "lib").write_bytes(b"x" * 500)
        (home / "lock").touch()
        (home / "done").touch()
        _aged(home / "done", days)
        return home

    def collect(self, *, dry_run: bool = False, **settings: object) -> dict[str, tuple[int, int]]:
        changed = self.settings.model_copy(update=settings)
        found: list[Removed] = list(collect(changed, self.store, dry_run=dry_run))
        return {each.kind: (each.count, each.size) for each in found}

    def rows(self, table: sa.Table) -> int:
        with self.store.engine.connect() as db:
            return db.execute(sa.select(sa.func.count()).select_from(table)).scalar() or 0


def _aged(path: Path, days: float) -> None:
    then = time.time() - days * DAY
    os.utime(path, (then, then))


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path / "state")


def test_what_is_old_and_ended_goes_and_what_is_open_stays(machine: Machine) -> None:
    ended = machine.run("o/old", 40, "done")
    machine.run("o/new", 2, "done")
    machine.run("o/open", 40, "paused")
    machine.delivery("a", 40, "handled")
    machine.delivery("b", 2, "handled")
    machine.delivery("c", 40, "received")
    old, new, needed = machine.mirror("o/old", 40), machine.mirror("o/new", 2), machine.mirror("o/open", 40)
    gone, kept, used = (
        machine.environment("o/old", "k1", 40),
        machine.environment("o/old", "k2", 2),
        machine.environment("o/open", "k3", 40),
    )
    would = machine.collect(dry_run=True)
    assert machine.rows(artifacts) == 3 and old.exists() and (gone / "env").exists(), (
        "a dry run removes nothing"
    )
    found = machine.collect()
    assert found == would
    assert found["artifacts"] == (1, 1000) and found["deliveries"] == (1, 0)
    assert found["mirrors"][0] == 1 and found["environments"] == (1, 500)
    assert not old.exists() and new.exists() and needed.exists()
    assert not (gone / "env").exists() and (gone / "lock").exists()
    assert (kept / "env").exists() and (used / "env").exists()
    assert machine.rows(artifacts) == 2 and machine.rows(deliveries) == 2
    assert machine.store.entries(ended), "the log stays"
    assert machine.collect() == {
        "artifacts": (0, 0),
        "deliveries": (0, 0),
        "mirrors": (0, 0),
        "environments": (0, 0),
    }


def test_above_the_size_the_least_used_goes_first(machine: Machine) -> None:
    least, more, most = (machine.mirror(f"o/r{days}", days, size=1_000_000) for days in (9, 5, 1))
    assert machine.collect(keep_gb=0.0025)["mirrors"][0] == 1
    assert not least.exists() and more.exists() and most.exists()


def test_what_somebody_uses_at_the_moment_stays(machine: Machine) -> None:
    path, home = machine.mirror("o/r", 40), machine.environment("o/r", "k", 40)
    with path.with_suffix(".lock").open("r") as one, (home / "lock").open("r") as two:
        fcntl.flock(one, fcntl.LOCK_EX)
        fcntl.flock(two, fcntl.LOCK_EX)
        found = machine.collect()
    assert found["mirrors"][0] == found["environments"][0] == 0
    assert path.exists() and (home / "env").exists()


def test_the_command(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    machine.run("o/old", 40, "done")
    monkeypatch.setenv("SCENARIST_STATE_DIR", str(machine.settings.state_dir))
    done = CliRunner().invoke(app, ["gc", "--dry-run"])
    assert done.exit_code == 0 and "artifacts: 1 would be removed, 0.0 MB" in done.output
    assert "artifacts: 1 removed" in CliRunner().invoke(app, ["gc"]).output
