"""Write a run's log and artifacts within the caller's transaction."""

import hashlib
import zlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import sqlalchemy as sa

from bot.log.events import Entry, Event, Prepared, Published, PullEnded, Superseded, WorkLeft
from bot.storage.database import insert
from bot.storage.observers import appended, is_observed
from bot.storage.tables import artifacts, events, model_use, runs
from bot.storage.usage import used_by
from gherkin.errors import ScenaristError
from runners.contract.events import Instructed, ModelReplied

MAX_ARTIFACT_BYTES = 100_000_000


class ArtifactTooLarge(ScenaristError):
    """An artifact is larger than the store accepts."""

    code = "SCN-6002"
    next_step = "Keep generated and binary files out of the change, for example with .gitignore."


def append(db: sa.Connection, run_id: str, new: Sequence[Event], now: float) -> None:
    """Append events to a run's log at the time `now`, and add what they used to the run's sums.

    `now` is in seconds since the epoch.
    """
    if not new:
        return
    tokens, cost, seconds = used_by(new)
    published = next((event for event in reversed(new) if isinstance(event, Published)), None)
    shown: dict[str, object] = {"pull": published.pull, "published_at": now} if published else {}
    left = next((event.pull for event in new if isinstance(event, WorkLeft) and event.pull), None)
    if left is not None and not shown:
        shown["pull"] = left
    prepared = next((event for event in reversed(new) if isinstance(event, Prepared)), None)
    if prepared is not None:
        shown["runner"] = prepared.runner
    moved = (
        sa.update(runs)
        .where(runs.c.id == run_id)
        .values(
            seq=runs.c.seq + len(new),
            tokens=runs.c.tokens + tokens,
            cost=runs.c.cost + cost,
            seconds=runs.c.seconds + seconds,
            **shown,
        )
        .returning(runs.c.seq, runs.c.forge, runs.c.repo, runs.c.kind)
    )
    last, *place = db.execute(moved).one()
    for event in new:
        if isinstance(event, PullEnded):
            _ended(db, run_id, event)
    _add_up(db, run_id, [event for event in new if isinstance(event, ModelReplied)])
    at = datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds")
    first = last - len(new) + 1
    db.execute(
        sa.insert(events),
        [
            {
                "run_id": run_id,
                "seq": seq,
                "at": at,
                "type": event.type,
                "data": event.model_dump_json(),
            }
            for seq, event in enumerate(new, start=first)
        ],
    )
    if is_observed(db):
        entries = [Entry(seq=seq, at=at, event=event) for seq, event in enumerate(new, start=first)]
        appended(db, run_id, (place[0], place[1], place[2]), entries)


def supersede(db: sa.Connection, run_id: str, target: str, now: float) -> None:
    """Append `Superseded` to the run before `run_id` on `target`, if that one ended without a result."""
    before = sa.select(runs.c.id, runs.c.status).where(runs.c.target == target, runs.c.id < run_id)
    last = db.execute(before.order_by(runs.c.id.desc()).limit(1)).one_or_none()
    if last is not None and last.status in ("needs_info", "gave_up", "failed"):
        append(db, last.id, [Superseded(run=run_id)], now)


def _ended(db: sa.Connection, run_id: str, event: PullEnded) -> None:
    """Note with all runs on a pull request what became of it."""
    one = sa.select(runs.c.forge, runs.c.repo).where(runs.c.id == run_id).subquery()
    became = "" if event.became == "open" else event.became
    same = (runs.c.pull == event.pull, runs.c.forge == one.c.forge, runs.c.repo == one.c.repo)
    ids = sa.select(runs.c.id).where(*same)
    db.execute(sa.update(runs).where(runs.c.id.in_(ids)).values(became=became))


def _add_up(db: sa.Connection, run_id: str, replies: Sequence[ModelReplied]) -> None:
    """Add what replies used to the sums of their models."""
    for event in replies:
        usage = event.reply.usage
        added = {
            "turns": 1,
            "tokens": usage.prompt_tokens + usage.completion_tokens,
            "cost": event.cost,
            "seconds": event.seconds,
        }
        key = {"run_id": run_id, "work": event.phase, "model": (event.reply.model or event.runtime)[:100]}
        statement = insert(db, model_use).values({**key, **added})
        sums = {name: model_use.c[name] + value for name, value in added.items()}
        db.execute(statement.on_conflict_do_update(index_elements=list(key), set_=sums))


def put(db: sa.Connection, run_id: str, blobs: Mapping[str, bytes]) -> None:
    """Store artifacts by name; older ones with the same name are replaced. Raises `ArtifactTooLarge`."""
    for name, content in blobs.items():
        if len(content) > MAX_ARTIFACT_BYTES:
            raise ArtifactTooLarge(f"{name} has {len(content):,} bytes.")
        row = {
            "run_id": run_id,
            "name": name,
            "size": len(content),
            "sha256": hashlib.sha256(content).hexdigest(),
            "data": zlib.compress(content, 1),
        }
        statement = insert(db, artifacts).values(row)
        db.execute(
            statement.on_conflict_do_update(
                index_elements=["run_id", "name"],
                set_={key: row[key] for key in ("size", "sha256", "data")},
            )
        )


def instructions(db: sa.Connection, run_id: str) -> list[Instructed]:
    """Return the comments that people wrote for the run after it started, oldest first."""
    query = (
        sa.select(events.c.data)
        .where(events.c.run_id == run_id, events.c.type == "Instructed")
        .order_by(events.c.seq)
    )
    return [Instructed.model_validate_json(data) for data in db.execute(query).scalars()]
