"""`scenarist gc`: remove what ended runs left behind, by age and by size."""

import contextlib
import fcntl
import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import sqlalchemy as sa
import typer

from bot.cli.options import AsJson
from bot.config.settings import Settings, load_settings
from bot.storage.database import reading
from bot.storage.store import Store, open_store
from bot.storage.tables import artifacts, deliveries, runs
from runners.git.workspaces import Mirror, Workspaces
from runners.sandbox.removal import remove_tree

_DAY = 24 * 3600.0
_OPEN = ("active", "paused")


@dataclass(frozen=True)
class Removed:
    """What was removed, or would be: how many of a kind, and their size in bytes."""

    kind: str
    count: int
    size: int


def gc(
    dry_run: Annotated[bool, typer.Option(help="Only print what would be removed.")] = False,
    as_json: AsJson = False,
) -> None:
    """Remove what ended runs left on this machine and in the database.

    Age and size decide; see docs/operating.md.
    """
    settings = load_settings()
    found = collect(settings, open_store(settings.database), dry_run=dry_run)
    if as_json:
        typer.echo(json.dumps({"dry_run": dry_run, "removed": [asdict(each) for each in found]}, indent=2))
        return
    for removed in found:
        verb = "would be removed" if dry_run else "removed"
        size = f", {removed.size / 1e6:,.1f} MB" if removed.size else ""
        typer.echo(f"{removed.kind}: {removed.count} {verb}{size}")


def collect(settings: Settings, store: Store, *, dry_run: bool) -> Iterator[Removed]:
    """Remove what is older than `keep_days`, then what is above `keep_gb` of mirrors and environments, the
    least used first.

    The logs of runs are kept: they are small, and the only record. Nothing that an open run needs is touched.
    """
    before = time.time() - settings.keep_days * _DAY
    yield _artifacts(store, before, dry_run=dry_run)
    yield _deliveries(store, before, dry_run=dry_run)
    needed = _needed_mirrors(settings, store)
    names = {path.stem for path in needed}
    stores = [each for each in _stores(settings.state_dir.resolve()) if each.repository not in names]
    old = [each for each in stores if each.used < before]
    left = [each for each in stores if each.used >= before]
    sizes = {each.path: _size(each.path) for each in stores}
    over = (
        sum(_size(path) for path in needed) + sum(sizes[each.path] for each in left) - settings.keep_gb * 1e9
    )
    for each in sorted(left, key=lambda each: each.used):
        if over <= 0:
            break
        over -= sizes[each.path]
        old.append(each)
    for kind in ("mirrors", "environments"):
        gone = [each for each in old if each.kind == kind and (dry_run or each.remove())]
        yield Removed(kind, len(gone), sum(sizes[each.path] for each in gone))


def _artifacts(store: Store, before: float, *, dry_run: bool) -> Removed:
    ended = sa.select(runs.c.id).where(runs.c.status.not_in(_OPEN), runs.c.created_at < before)
    mine = artifacts.c.run_id.in_(ended)
    with reading(store.engine) as db:
        query = sa.select(sa.func.count(), sa.func.coalesce(sa.func.sum(artifacts.c.size), 0)).where(mine)
        count, size = db.execute(query).one()
    if not dry_run:
        with store.engine.begin() as db:
            db.execute(sa.delete(artifacts).where(mine))
    return Removed("artifacts", count, size)


def _deliveries(store: Store, before: float, *, dry_run: bool) -> Removed:
    mine = sa.and_(deliveries.c.state == "handled", deliveries.c.received_at < before)
    with reading(store.engine) as db:
        count = db.execute(sa.select(sa.func.count()).select_from(deliveries).where(mine)).scalar() or 0
    if not dry_run:
        with store.engine.begin() as db:
            db.execute(sa.delete(deliveries).where(mine))
    return Removed("deliveries", count, 0)


def _needed_mirrors(settings: Settings, store: Store) -> set[Path]:
    """Return the mirrors of open runs, whose commits may exist nowhere else."""
    workspaces = Workspaces(settings.state_dir)
    query = sa.select(runs.c.forge, runs.c.repo).where(runs.c.status.in_(_OPEN)).distinct()
    with reading(store.engine) as db:
        return {workspaces.mirror(row.forge, row.repo).path for row in db.execute(query)}


@dataclass(frozen=True)
class _CacheEntry:
    """A mirror or an environment, the name of its repository's mirror, and when it was last used."""

    kind: str
    path: Path
    repository: str
    used: float

    def remove(self) -> bool:
        """Remove it, unless somebody uses it at this moment."""
        with contextlib.suppress(BlockingIOError):
            if self.kind == "mirrors":
                with Mirror(self.path).lock(wait=False):
                    remove_tree(self.path)
                    return True
            with (self.path / "lock").open("w") as handle:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                # The folder and its lock stay: somebody may be waiting for it, to build it anew.
                (self.path / "done").unlink(missing_ok=True)
                remove_tree(self.path / "env")
                return True
        return False


def _stores(state: Path) -> Iterator[_CacheEntry]:
    for path in sorted((state / "mirrors").glob("*.git")):
        lock = path.with_suffix(".lock")
        yield _CacheEntry("mirrors", path, path.stem, (lock if lock.exists() else path).stat().st_mtime)
    for path in sorted((state / "environments").glob("*/*/")):
        if (path / "done").exists():
            yield _CacheEntry("environments", path, path.parent.name, (path / "done").stat().st_mtime)


def _size(path: Path) -> int:
    return sum(each.lstat().st_size for each in path.rglob("*") if not each.is_dir()) if path.exists() else 0
