"""Measure the tables at one moment: how many runs wait and work, for how long, and what is overdue."""

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

import sqlalchemy as sa

from bot.log.events import Phase
from bot.storage.database import passed, reading
from bot.storage.tables import deliveries, events, runs
from gherkin.values import Frozen

Activity = Literal["queued", "working", "delayed", "paused"]


class Gauges(Frozen):
    """The tables at one moment; ages are in seconds, 0 if nothing waits.

    `open_runs` counts the runs that have not ended. `oldest_due` says, by the next phase of a run, for how
    long the oldest run that could continue has had no worker. `expired` counts the runs whose worker let the
    lease expire, and `behind` those whose status comment does not show the whole log.
    """

    open_runs: Mapping[tuple[Phase, Activity], int]
    oldest_due: Mapping[Phase, float]
    deliveries: int
    oldest_delivery: float
    expired: int
    behind: int


class SilentRun(Frozen):
    """A run whose worker keeps the lease, but has logged nothing for `seconds`."""

    id: str
    phase: Phase
    holder: str
    fence: int
    seconds: float


def measure(engine: sa.Engine, now: float) -> Gauges:
    """Return the gauges at `now`, in seconds since the epoch. Raises SQLAlchemy's errors."""
    leased = sa.and_(runs.c.lease_until.is_not(None), runs.c.lease_until >= now)
    activity = sa.case(
        (runs.c.status == "paused", "paused"),
        (leased, "working"),
        (runs.c.due_at > now, "delayed"),
        else_="queued",
    ).label("activity")
    counted = (
        sa.select(runs.c.phase, activity, sa.func.count().label("count"))
        .where(runs.c.status.in_(["active", "paused"]))
        .group_by(runs.c.phase, activity)
    )
    first = runs.alias()
    # A run that waits for an earlier one on the same issue or pull request needs no worker yet.
    waits = sa.exists().where(
        first.c.target == runs.c.target,
        first.c.status == "active",
        sa.tuple_(first.c.place, first.c.id) < sa.tuple_(runs.c.place, runs.c.id),
    )
    due = (
        sa.select(runs.c.phase, sa.func.min(runs.c.due_at).label("due_at"))
        .where(runs.c.status == "active", passed(runs.c.due_at, now), ~leased, ~waits)
        .group_by(runs.c.phase)
    )
    stored = sa.select(sa.func.count(), sa.func.min(deliveries.c.due_at)).where(
        deliveries.c.state == "stored"
    )
    expired = sa.select(sa.func.count()).where(runs.c.status == "active", runs.c.lease_until < now)
    behind = sa.select(sa.func.count()).where(runs.c.reported_seq < runs.c.seq)
    with reading(engine) as db:
        waiting, oldest = db.execute(stored).one()
        return Gauges(
            open_runs={(row.phase, row.activity): row.count for row in db.execute(counted)},
            oldest_due={row.phase: max(0.0, now - row.due_at) for row in db.execute(due)},
            deliveries=waiting,
            oldest_delivery=0.0 if oldest is None else max(0.0, now - oldest),
            expired=db.execute(expired).scalar_one(),
            behind=db.execute(behind).scalar_one(),
        )


def silent_runs(engine: sa.Engine, now: float, seconds: float) -> list[SilentRun]:
    """Return the runs that a worker holds and whose log has no new entry for more than `seconds`."""
    newest = sa.and_(events.c.run_id == runs.c.id, events.c.seq == runs.c.seq)
    query = sa.select(runs.c.id, runs.c.phase, runs.c.holder, runs.c.fence, events.c.at).join(events, newest)
    held = query.where(runs.c.status == "active", runs.c.lease_until >= now)
    with reading(engine) as db:
        found = [
            SilentRun(
                id=row.id,
                phase=row.phase,
                holder=row.holder,
                fence=row.fence,
                seconds=now - datetime.fromisoformat(row.at).timestamp(),
            )
            for row in db.execute(held)
        ]
    return [each for each in found if each.seconds > seconds]
