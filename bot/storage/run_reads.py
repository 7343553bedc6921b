"""What is known about runs: their states, their logs, their artifacts. Nothing is written here."""

import json
import zlib
from collections.abc import Callable, Sequence

import sqlalchemy as sa

from bot.log.events import (
    Entry,
    Event,
    Phase,
    Prepared,
    Published,
    PullEnded,
    RunRequested,
    Status,
    WorkLeft,
    event_adapter,
)
from bot.storage.database import reading
from bot.storage.outcomes import model_results
from bot.storage.run_log import instructions
from bot.storage.tables import artifacts, events, runs
from gherkin.values import Frozen
from runners.contract.events import Instructed
from runners.contract.operator_limits import Runner
from runners.contract.routing import RunResult


class RunRow(Frozen):
    """A run in a listing."""

    id: str
    forge: str
    repo: str
    target: str
    status: Status
    phase: Phase
    created_at: float


class PublishedRun(Frozen):
    """The newest run that published on a pull request: its request and its preparation."""

    requested: RunRequested
    prepared: Prepared
    published: Published


class KnownPull(Frozen):
    """A pull request of the bot: its newest run, the commits of runs on it, and how it ended."""

    run_id: str
    commits: tuple[str, ...]
    ended: PullEnded | None = None


class RunReads:
    """Reads of runs. `clock` gives seconds since the epoch."""

    engine: sa.Engine
    clock: Callable[[], float]

    def model_results(self, but: str = "") -> list[RunResult]:
        """Return what the newest runs came to with which models, without the run `but`."""
        return model_results(self.engine, but)

    def published_by(self, forge: str, repo: str, commit: str) -> str | None:
        """Return the newest run that published `commit` (a commit id) on a repository, if one did."""
        query = (
            sa.select(runs.c.id)
            .join(events, events.c.run_id == runs.c.id)
            .where(
                runs.c.forge == forge,
                runs.c.repo == repo,
                events.c.type == "Published",
                events.c.data.contains(f'"commit":"{commit}"', autoescape=True),
            )
            .order_by(runs.c.id.desc())
        )
        with reading(self.engine) as db:
            return db.execute(query).scalars().first()

    def caused(self, target: str, cause: str) -> list[str]:
        """Return the runs on `target` whose course the command `cause` has changed already."""
        query = (
            sa.select(runs.c.id)
            .join(events, events.c.run_id == runs.c.id)
            .where(
                runs.c.target == target,
                events.c.type.in_(["Controlled", "Adjusted"]),
                events.c.data.contains(f'"cause":{json.dumps(cause)}', autoescape=True),
            )
            .order_by(runs.c.id)
            .distinct()
        )
        with reading(self.engine) as db:
            return list(db.execute(query).scalars())

    def run_of(self, request_key: str) -> str | None:
        """Return the run that a request began, or None."""
        query = sa.select(runs.c.id).where(runs.c.request_key == request_key)
        with reading(self.engine) as db:
            return db.execute(query).scalar()

    def published(self, forge: str, repo: str, most: int = 200) -> list[PublishedRun]:
        """Return the newest run of each pull request on a repository, from the newest `most` that published
        something."""
        query = (
            sa.select(events.c.run_id, events.c.data)
            .join(runs, events.c.run_id == runs.c.id)
            .where(runs.c.forge == forge, runs.c.repo == repo, events.c.type == "Published")
            .order_by(events.c.run_id.desc())
            .limit(most)
        )
        newest: dict[int, tuple[str, Published]] = {}
        with reading(self.engine) as db:
            for row in db.execute(query):
                event = Published.model_validate_json(row.data)
                newest.setdefault(event.pull, (row.run_id, event))
            ids = [run_id for run_id, _ in newest.values()]
            kinds = ("RunRequested", "Prepared")
            rows = db.execute(
                sa.select(events.c.run_id, events.c.type, events.c.data)
                .where(events.c.run_id.in_(ids), events.c.type.in_(kinds))
                .order_by(events.c.seq)
            )
            found = {(row.run_id, row.type): row.data for row in rows}
        return [
            PublishedRun(
                requested=RunRequested.model_validate_json(found[run_id, "RunRequested"]),
                prepared=Prepared.model_validate_json(found[run_id, "Prepared"]),
                published=event,
            )
            for run_id, event in newest.values()
        ]

    def known_pulls(self, forge: str, repo: str, pull: int = 0, most: int = 500) -> dict[int, KnownPull]:
        """Return the pull requests of a repository by number, from the newest `most` runs that have one.

        With `pull` only that one.
        """
        query = sa.select(runs.c.id, runs.c.pull).where(
            runs.c.forge == forge, runs.c.repo == repo, runs.c.pull == pull if pull else runs.c.pull > 0
        )
        kinds = ("Published", "WorkLeft", "PullEnded")
        found: dict[int, KnownPull] = {}
        with reading(self.engine) as db:
            rows = db.execute(query.order_by(runs.c.id.desc()).limit(most)).all()
            logged = (
                sa.select(events.c.run_id, events.c.data)
                .where(events.c.run_id.in_([row.id for row in rows]), events.c.type.in_(kinds))
                .order_by(events.c.at, events.c.seq)
            )
            mine: dict[str, list[Event]] = {}
            for each in db.execute(logged):
                mine.setdefault(each.run_id, []).append(event_adapter.validate_json(each.data))
        for row in reversed(rows):
            before = found.get(row.pull) or KnownPull(run_id=row.id, commits=())
            logs = mine.get(row.id, [])
            commits = [each.commit for each in logs if isinstance(each, Published | WorkLeft)]
            ends = [each for each in logs if isinstance(each, PullEnded)]
            found[row.pull] = KnownPull(
                run_id=row.id,
                commits=(*before.commits, *commits),
                ended=ends[-1] if ends else before.ended,
            )
        return found

    def open_runs(self, target: str) -> list[str]:
        """Return the runs on `target` that have not ended, oldest first."""
        query = (
            sa.select(runs.c.id)
            .where(runs.c.target == target, runs.c.status.in_(["active", "paused"]))
            .order_by(runs.c.id)
        )
        with reading(self.engine) as db:
            return list(db.execute(query).scalars())

    def all_open_runs(self) -> list[str]:
        """Return the runs that have not ended."""
        query = sa.select(runs.c.id).where(runs.c.status.in_(["active", "paused"]))
        with reading(self.engine) as db:
            return list(db.execute(query).scalars())

    def open_runs_in(self, forge: str, repos: Sequence[str], installation: int) -> list[str]:
        """Return the runs that have not ended in the repositories or in the installation (0: none)."""
        where: sa.ColumnElement[bool] = runs.c.repo.in_(repos)
        if installation:
            where = sa.or_(where, runs.c.installation == installation)
        query = sa.select(runs.c.id).where(
            runs.c.forge == forge, runs.c.status.in_(["active", "paused"]), where
        )
        with reading(self.engine) as db:
            return list(db.execute(query).scalars())

    def due_in(self, run_id: str) -> float:
        """Return the seconds until a run is due; 0 if it is due now or unknown."""
        with reading(self.engine) as db:
            due = db.execute(sa.select(runs.c.due_at).where(runs.c.id == run_id)).scalar()
        return max(0.0, (due or 0.0) - self.clock())

    def waiting_runs(self, target_of: str) -> list[tuple[str, Phase]]:
        """Return the active runs on the same target as the run `target_of`, in their order of execution."""
        same = sa.select(runs.c.target).where(runs.c.id == target_of).scalar_subquery()
        query = (
            sa.select(runs.c.id, runs.c.phase)
            .where(runs.c.target == same, runs.c.status == "active")
            .order_by(runs.c.place, runs.c.id)
        )
        with reading(self.engine) as db:
            return [(row.id, row.phase) for row in db.execute(query)]

    def seq(self, run_id: str) -> int:
        """Return the number of the log's last entry; 0 for an unknown run."""
        with reading(self.engine) as db:
            return db.execute(sa.select(runs.c.seq).where(runs.c.id == run_id)).scalar() or 0

    def entries(self, run_id: str, after: int = 0, most: int | None = None) -> list[Entry]:
        """Return the run's log after the entry number `after`: all of it, or at most `most` entries."""
        query = (
            sa.select(events)
            .where(events.c.run_id == run_id, events.c.seq > after)
            .order_by(events.c.seq)
            .limit(most)
        )
        with reading(self.engine) as db:
            rows = db.execute(query).all()
        return [Entry(seq=row.seq, at=row.at, event=event_adapter.validate_json(row.data)) for row in rows]

    def requested(self, run_id: str) -> RunRequested | None:
        """Return the request of a run, which is the first event of its log."""
        query = sa.select(events.c.data).where(events.c.run_id == run_id, events.c.seq == 1)
        with reading(self.engine) as db:
            data = db.execute(query).scalar()
        return None if data is None else RunRequested.model_validate_json(data)

    def list_runs(self, limit: int = 50, target: str | None = None) -> list[RunRow]:
        """Return at most `limit` runs, or only those on `target`, newest first."""
        query = sa.select(runs).order_by(runs.c.id.desc()).limit(limit)
        if target is not None:
            query = query.where(runs.c.target == target)
        fields = list(RunRow.model_fields)
        with reading(self.engine) as db:
            return [
                RunRow.model_validate({name: getattr(row, name) for name in fields})
                for row in db.execute(query)
            ]

    def has_run(self, run_id: str) -> bool:
        with reading(self.engine) as db:
            return db.execute(sa.select(runs.c.id).where(runs.c.id == run_id)).first() is not None

    def status(self, run_id: str) -> tuple[Status, Phase] | None:
        """Return the run's status and its present or next phase, or None for an unknown run."""
        query = sa.select(runs.c.status, runs.c.phase).where(runs.c.id == run_id)
        with reading(self.engine) as db:
            row = db.execute(query).one_or_none()
        return None if row is None else (row.status, row.phase)

    def runner(self, run_id: str) -> Runner | None:
        """Return where the run's phases that run repository code are done, or None for an unknown run."""
        with reading(self.engine) as db:
            return db.execute(sa.select(runs.c.runner).where(runs.c.id == run_id)).scalar()

    def instructions(self, run_id: str) -> list[Instructed]:
        """Return the comments that people wrote for the run after it started, oldest first."""
        with reading(self.engine) as db:
            return instructions(db, run_id)

    def artifact_of(self, forge: str, repo: str, run_id: str, name: str) -> bytes | None:
        """Return an artifact of a run, or None if the run does not belong to this repository."""
        query = sa.select(runs.c.id).where(runs.c.id == run_id, runs.c.forge == forge, runs.c.repo == repo)
        with reading(self.engine) as db:
            known = db.execute(query).scalar_one_or_none()
        return self.artifact(run_id, name) if known else None

    def artifact(self, run_id: str, name: str) -> bytes | None:
        """Return the bytes of an artifact, or None."""
        query = sa.select(artifacts.c.data).where(artifacts.c.run_id == run_id, artifacts.c.name == name)
        with reading(self.engine) as db:
            data = db.execute(query).scalar()
        return None if data is None else zlib.decompress(data)
