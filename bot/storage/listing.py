"""Queries for the web pages: lists of runs, and what they wait for."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, Literal

import sqlalchemy as sa

from bot.log.events import APPROVAL, Phase, PhaseFinished, Status
from bot.storage.database import reading
from bot.storage.tables import events, runs
from gherkin.values import Frozen

Standing = Literal["worked on", "queued", "held up", "approval", "answer", "paused", "ended"]
_OPEN = ("active", "paused")


class RunFilter(Frozen):
    """Which runs to list; empty fields filter nothing.

    `state` is a status, or ``open`` for all runs that have not ended. `before` is the id of a run: only
    older ones are listed.
    """

    repo: str = ""
    state: str = ""
    kind: str = ""
    person: str = ""
    before: str = ""


class RunLine(Frozen):
    """A run in a listing. Times are seconds since the epoch; `cost` is in US dollars.

    `standing` says what it waits for, and `since` when that began: for a run with a worker the start of its
    phase, for a queued one the moment from which it was due.
    """

    id: str
    forge: str
    repo: str
    title: str
    number: int
    kind: str
    person: str
    status: Status
    phase: Phase
    pull: int
    became: str
    cost: float
    tokens: int
    created_at: float
    holder: str
    standing: Standing
    since: float


# The repositories that somebody may see, as (forge, name) pairs; None: all.
Visible = Collection[tuple[str, str]] | None


def last_entries(engine: sa.Engine, run_ids: Sequence[str]) -> dict[str, int]:
    """Run -> the number of its log's last entry, for those of `run_ids` that exist."""
    query = sa.select(runs.c.id, runs.c.seq).where(runs.c.id.in_(run_ids))
    with reading(engine) as db:
        return {row.id: row.seq for row in db.execute(query)}


def place(engine: sa.Engine, run_id: str) -> tuple[str, str] | None:
    """Return (forge, repository) of a run, or None for an unknown one."""
    query = sa.select(runs.c.forge, runs.c.repo).where(runs.c.id == run_id)
    with reading(engine) as db:
        row = db.execute(query).one_or_none()
    return None if row is None else (row.forge, row.repo)


def places(engine: sa.Engine) -> list[tuple[str, str]]:
    """Return (forge, repository) of all repositories with runs, in alphabetical order."""
    query = sa.select(runs.c.forge, runs.c.repo).distinct().order_by(runs.c.repo, runs.c.forge)
    with reading(engine) as db:
        return [(row.forge, row.repo) for row in db.execute(query)]


def find_runs(
    engine: sa.Engine, chosen: RunFilter, visible: Visible, now: float, limit: int = 50
) -> list[RunLine]:
    """Return the newest runs that `chosen` describes and somebody with `visible` repositories may see."""
    query = sa.select(runs).where(*seen(visible)).order_by(runs.c.id.desc()).limit(limit)
    if chosen.repo:
        query = query.where(runs.c.repo == chosen.repo)
    if chosen.state:
        query = query.where(runs.c.status.in_(_OPEN if chosen.state == "open" else [chosen.state]))
    if chosen.kind:
        query = query.where(runs.c.kind == chosen.kind)
    if chosen.person:
        query = query.where(runs.c.person == chosen.person)
    if chosen.before:
        query = query.where(runs.c.id < chosen.before)
    return _lines(engine, query, now)


def open_runs(engine: sa.Engine, visible: Visible, now: float, limit: int = 200) -> list[RunLine]:
    """Return the runs that have not ended, those that are due the longest first."""
    where = (runs.c.status.in_(_OPEN), *seen(visible))
    return _lines(engine, sa.select(runs).where(*where).order_by(runs.c.due_at).limit(limit), now)


def seen(visible: Visible) -> list[sa.ColumnElement[bool]]:
    """Return the conditions on a run under which somebody with `visible` repositories may see it."""
    if visible is None:
        return []
    return [sa.or_(sa.false(), *(sa.and_(runs.c.forge == f, runs.c.repo == r) for f, r in visible))]


def _lines(engine: sa.Engine, query: sa.Select[Any], now: float) -> list[RunLine]:
    names = set(RunLine.model_fields) - {"standing", "since"}
    with reading(engine) as db:
        rows = db.execute(query).all()
        paused = [row.id for row in rows if row.status == "paused"]
        held = [row.id for row in rows if row.status == "active" and _leased(row, now)]
        ends = {
            run_id: PhaseFinished.model_validate_json(data).outcome
            for run_id, (data, _at) in newest_events(db, paused, "PhaseFinished").items()
        }
        starts = {run_id: at for run_id, (_data, at) in newest_events(db, held, "PhaseStarted").items()}
        asking = {row.target for row in rows if row.status == "needs_info"}
        last = sa.select(sa.func.max(runs.c.id)).where(runs.c.target.in_(asking)).group_by(runs.c.target)
        newest = set(db.scalars(last)) if asking else set()
    found = []
    for row in rows:
        standing = _standing(row, now, ends.get(row.id, ""))
        if standing == "answer" and row.id not in newest:
            standing = "ended"  # a newer run on the same target has taken the answer
        since = row.due_at if standing in ("queued", "held up") else row.created_at
        if row.id in starts:
            since = datetime.fromisoformat(starts[row.id]).timestamp()
        fields = {name: getattr(row, name) for name in names}
        found.append(RunLine.model_validate({**fields, "standing": standing, "since": since}))
    return found


def _leased(row: Any, now: float) -> bool:
    return row.lease_until is not None and row.lease_until >= now


def _standing(row: Any, now: float, last_outcome: str) -> Standing:
    if row.status == "active":
        if _leased(row, now):
            return "worked on"
        return "held up" if row.due_at > now else "queued"
    if row.status == "paused":
        return "approval" if last_outcome == APPROVAL else "paused"
    return "answer" if row.status == "needs_info" else "ended"


def newest_events(db: sa.Connection, run_ids: Sequence[str], kind: str) -> dict[str, tuple[str, str]]:
    """Run -> (data, time) of its newest event of a kind."""
    if not run_ids:
        return {}
    last = (
        sa.select(events.c.run_id, sa.func.max(events.c.seq).label("seq"))
        .where(events.c.run_id.in_(run_ids), events.c.type == kind)
        .group_by(events.c.run_id)
        .subquery()
    )
    query = sa.select(events.c.run_id, events.c.data, events.c.at).join(
        last, sa.and_(last.c.run_id == events.c.run_id, last.c.seq == events.c.seq)
    )
    return {row.run_id: (row.data, row.at) for row in db.execute(query)}
