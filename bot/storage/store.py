"""The store of runs with their leases, logs and artifacts."""

import time
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from ulid import ULID

from bot.log.events import (
    Controlled,
    Entry,
    Event,
    Phase,
    PhaseFinished,
    Prepared,
    Published,
    RunRequested,
    Status,
    event_adapter,
)
from bot.storage.database import add_row, connect, passed, reading
from bot.storage.reports import Reports
from bot.storage.run_log import append, instructions, put
from bot.storage.tables import artifacts, deliveries, events, runs
from bot.storage.usage import RUNNER_PHASES, count_alone, too_many_at_once
from gherkin.errors import ScenaristError
from gherkin.values import Frozen
from runners.contract.events import Instructed
from runners.contract.operator_limits import Allowances


class LeaseLost(ScenaristError):
    """Another worker has taken over the run."""

    code = "SCN-6001"
    next_step = "Nothing to do: the other worker continues the run."


class RunClaim(Frozen):
    """The right to work on a run until `lease_until`, valid as long as no claim has a newer `fence`."""

    run_id: str
    phase: Phase
    fence: int
    attempts: int


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


def new_id() -> str:
    """Return a new ULID: it sorts by time and has 80 random bits."""
    return str(ULID())


def _controls(event: Controlled) -> tuple[list[Status], dict[str, Any]]:
    """Return the statuses in which a control is possible, and the columns that it sets."""
    match event.control:
        case "pause":
            return ["active"], {"status": "paused"}
        case "resume":
            return ["paused"], {"status": "active"}
        case "cancel":
            # Another run may be requested from now on. It waits until this one is concluded.
            return ["active", "paused"], {"status": "active", "phase": "conclude"}
        case "respecify":
            return ["paused"], {"status": "active", "phase": "specify"}
        case "retry":
            ended: list[Status] = ["needs_info", "gave_up", "failed", "cancelled"]
            return ended, {"status": "active", "phase": event.phase}


def _next_place(target: sa.ColumnElement[str]) -> sa.ScalarSelect[int]:
    """Return the place after all runs on `target`."""
    other = runs.alias()
    newest = sa.func.coalesce(sa.func.max(other.c.place), 0) + 1
    return sa.select(newest).where(other.c.target == target).correlate(runs).scalar_subquery()


def open_store(database_url: str) -> "Store":
    """Return the store in the database at a SQLAlchemy URL; nothing is connected yet."""
    return Store(connect(database_url))


class Store:
    """All reads and writes of the bot. `clock` gives seconds since the epoch."""

    def __init__(
        self,
        engine: sa.Engine,
        clock: Callable[[], float] = time.time,
        allowances: Allowances = Allowances(),  # noqa: B008 - frozen
    ) -> None:
        self.allowances = allowances
        self.engine = engine
        self.clock = clock
        # Not `self.clock` itself, because tests replace the store's clock.
        self.reports = Reports(engine, lambda: self.clock())

    # -- runs ----------------------------------------------------------------------------------------

    def request_run(
        self,
        request: RunRequested,
        *,
        target: str,
        exclusive: bool,
        delivery_id: str | None = None,
    ) -> str | None:
        """Create a run and close its delivery in one transaction.

        Returns the run's id. Returns None if the request's key has a run already, or if the run is
        `exclusive` and another run on `target` is active or paused and not yet being concluded. Runs on the
        same target wait for each other.
        """
        now = self.clock()
        run_id = new_id()
        row = {
            "id": run_id,
            "request_key": request.key or run_id,
            "target": target,
            "exclusive": target if exclusive else None,
            "place": _next_place(sa.literal(target)),
            "forge": request.forge,
            "repo": request.repo,
            "status": "active",
            "phase": "prepare",
            "seq": 0,
            "fence": 0,
            "due_at": now,
            "attempts": 0,
            "reported_seq": 0,
            "created_at": now,
            "installation": request.installation,
            "title": request.order.title[:300],
            "number": request.order.pull or request.order.number,
            "kind": request.order.kind,
            "person": request.order.requested_by[:100],
        }
        with self.engine.begin() as db:
            created = add_row(db, runs, row)
            if created:
                append(db, run_id, [request], self.clock())
            if delivery_id is not None:
                outcome = f"run {run_id}" if created else "already requested"
                db.execute(
                    sa.update(deliveries)
                    .where(deliveries.c.id == delivery_id)
                    .values(state="handled", outcome=outcome, body=b"")
                )
        return run_id if created else None

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

    def open_runs(self, target: str) -> list[str]:
        """Return the runs on `target` that have not ended, oldest first."""
        query = (
            sa.select(runs.c.id)
            .where(runs.c.target == target, runs.c.status.in_(["active", "paused"]))
            .order_by(runs.c.id)
        )
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

    def claim(
        self, run_id: str, phases: Iterable[Phase], seconds: float, holder: str = ""
    ) -> RunClaim | None:
        """Take the lease of a run whose next phase is one of `phases`, for `seconds`, as the worker `holder`.

        Returns None if the run has ended, another worker has its lease, it is not due yet, or an earlier run
        on the same target has not ended.
        """
        now = self.clock()
        first = runs.alias()
        waits = sa.exists().where(
            first.c.target == runs.c.target,
            first.c.status == "active",
            sa.tuple_(first.c.place, first.c.id) < sa.tuple_(runs.c.place, runs.c.id),
        )
        counted = too_many_at_once(self.allowances, now) if set(phases) & RUNNER_PHASES else []
        statement = (
            sa.update(runs)
            .where(
                runs.c.id == run_id,
                runs.c.status == "active",
                runs.c.phase.in_(list(phases)),
                sa.or_(runs.c.due_at == now, passed(runs.c.due_at, now)),
                sa.or_(runs.c.lease_until.is_(None), passed(runs.c.lease_until, now)),
                ~waits,
                *counted,
            )
            .values(
                fence=runs.c.fence + 1,
                lease_until=now + seconds,
                attempts=runs.c.attempts + 1,
                holder=holder,
            )
            .returning(runs.c.phase, runs.c.fence, runs.c.attempts)
        )
        with self.engine.begin() as db:
            if counted:
                count_alone(db)
            row = db.execute(statement).one_or_none()
        if row is None:
            return None
        return RunClaim(run_id=run_id, phase=row.phase, fence=row.fence, attempts=row.attempts)

    def extend(self, claim: RunClaim, seconds: float) -> None:
        """Extend the lease to `seconds` from now. Raises `LeaseLost`."""
        with self.engine.begin() as db:
            self._write(db, claim, lease_until=self.clock() + seconds)

    def release(self, claim: RunClaim) -> bool:
        """Release a claim as if its phase had not been started; return False if the claim is lost."""
        return self._give_back(claim, attempts=runs.c.attempts - 1, due_at=self.clock())

    def put_off(self, claim: RunClaim, seconds: float) -> bool:
        """Release a claim whose phase failed; the phase can be claimed again after `seconds`.

        Return False if the claim is lost.
        """
        return self._give_back(claim, due_at=self.clock() + seconds)

    def _give_back(self, claim: RunClaim, **values: Any) -> bool:
        statement = (
            sa.update(runs)
            .where(runs.c.id == claim.run_id, runs.c.fence == claim.fence)
            .values(fence=claim.fence + 1, lease_until=None, **values)
        )
        with self.engine.begin() as db:
            return bool(db.execute(statement).rowcount)

    def log(self, claim: RunClaim, new: Sequence[Event], blobs: Mapping[str, bytes] | None = None) -> None:
        """Append events and store artifacts in one transaction, under the claim. Raises `LeaseLost`."""
        with self.engine.begin() as db:
            self._write(db, claim)
            append(db, claim.run_id, new, self.clock())
            put(db, claim.run_id, blobs or {})

    def finish_phase(
        self,
        claim: RunClaim,
        new: Sequence[Event],
        blobs: Mapping[str, bytes],
        *,
        phase: Phase,
        status: Status = "active",
        delay: float = 0.0,
    ) -> None:
        """Store a phase's end and release the claim; `phase` is next, after `delay` seconds.

        Raises `LeaseLost` and `ArtifactTooLarge`.
        """
        with self.engine.begin() as db:
            self._write(
                db,
                claim,
                lease_until=None,
                phase=phase,
                status=status,
                due_at=self.clock() + delay,
                attempts=0,
            )
            append(db, claim.run_id, new, self.clock())
            put(db, claim.run_id, blobs)

    def note(self, run_id: str, event: Event) -> None:
        """Append an event that needs no claim, because it comes from outside the phases."""
        with self.engine.begin() as db:
            append(db, run_id, [event], self.clock())

    def free_orphans(self, is_gone: Callable[[str], bool]) -> list[tuple[str, Phase]]:
        """End the leases of the workers for whose identity `is_gone` is true.

        Return (id, phase) of the runs that can continue.
        """
        held = sa.select(runs.c.id, runs.c.phase, runs.c.fence, runs.c.holder).where(
            runs.c.status == "active", runs.c.lease_until >= self.clock()
        )
        with reading(self.engine) as db:
            orphans = [row for row in db.execute(held) if is_gone(row.holder)]
        freed = []
        for row in orphans:
            statement = (
                sa.update(runs)
                .where(runs.c.id == row.id, runs.c.fence == row.fence)
                .values(fence=row.fence + 1, lease_until=None)
            )
            with self.engine.begin() as db:
                if db.execute(statement).rowcount:
                    freed.append((row.id, row.phase))
        return freed

    def due_runs(self, older_than: float, phases: Iterable[Phase], limit: int) -> list[tuple[str, Phase]]:
        """Return (id, phase) of active runs without a claim that have been due for `older_than` seconds.

        Only runs whose next phase is one of `phases`, and at most `limit` of them.
        """
        now = self.clock()
        query = (
            sa.select(runs.c.id, runs.c.phase)
            .where(
                runs.c.status == "active",
                runs.c.phase.in_(list(phases)),
                passed(runs.c.due_at, now - older_than),
                sa.or_(runs.c.lease_until.is_(None), passed(runs.c.lease_until, now)),
            )
            .order_by(runs.c.due_at)
            .limit(limit)
        )
        with reading(self.engine) as db:
            return [(row.id, row.phase) for row in db.execute(query)]

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

    def control(self, run_id: str, event: Controlled) -> bool:
        """Pause, resume, cancel or retry a run; returns False if its state does not allow that.

        The worker that has the lease loses it at once. A cancelled run is still concluded. A run that becomes
        active again is placed after the active runs on its target.
        """
        allowed, values = _controls(event)
        values["due_at"] = self.clock()
        values["place"] = sa.case((runs.c.status == "active", runs.c.place), else_=_next_place(runs.c.target))
        statement = (
            sa.update(runs)
            .where(runs.c.id == run_id, runs.c.status.in_(allowed))
            .values(fence=runs.c.fence + 1, lease_until=None, attempts=0, **values)
            .returning(runs.c.phase)
        )
        try:
            return self._control(run_id, event, statement)
        except sa.exc.IntegrityError:
            return False  # another run on its target was started meanwhile

    def instruct(self, run_id: str, event: Instructed) -> bool:
        """Append a comment to the log of an open run; a repeated call changes nothing.

        Return False if the run has ended or is being concluded.
        """
        query = sa.select(runs.c.id).where(
            runs.c.id == run_id, runs.c.status.in_(["active", "paused"]), runs.c.phase != "conclude"
        )
        with self.engine.begin() as db:
            if db.execute(query.with_for_update()).first() is None:
                return False
            if event.comment not in {each.comment for each in instructions(db, run_id)}:
                append(db, run_id, [event], self.clock())
        return True

    def instructions(self, run_id: str) -> list[Instructed]:
        """Return the comments that people wrote for the run after it started, oldest first."""
        with reading(self.engine) as db:
            return instructions(db, run_id)

    def _control(self, run_id: str, event: Controlled, statement: Any) -> bool:
        with self.engine.begin() as db:
            before = db.execute(sa.select(runs.c.phase).where(runs.c.id == run_id)).scalar()
            if before is None or db.execute(statement).first() is None:
                return False
            new: list[Event] = [event]
            if event.control == "cancel":
                new.append(PhaseFinished(phase=before, outcome="cancelled", reason=event.reason))
            append(db, run_id, new, self.clock())
        return True

    def is_current(self, claim: RunClaim) -> bool:
        """Return whether the claim is still valid."""
        query = sa.select(runs.c.fence).where(runs.c.id == claim.run_id)
        with reading(self.engine) as db:
            return db.execute(query).scalar() == claim.fence

    def status(self, run_id: str) -> tuple[Status, Phase] | None:
        """Return the run's status and its present or next phase, or None for an unknown run."""
        query = sa.select(runs.c.status, runs.c.phase).where(runs.c.id == run_id)
        with reading(self.engine) as db:
            row = db.execute(query).one_or_none()
        return None if row is None else (row.status, row.phase)

    # -- artifacts -----------------------------------------------------------------------------------

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

    # -- inside --------------------------------------------------------------------------------------

    def _write(self, db: sa.Connection, claim: RunClaim, **values: Any) -> None:
        """Set `values` on the claim's run in one statement. Raises `LeaseLost` if the claim is not valid."""
        statement = (
            sa.update(runs)
            .where(runs.c.id == claim.run_id, runs.c.fence == claim.fence)
            .values(fence=claim.fence, **values)
        )
        if not db.execute(statement).rowcount:
            raise LeaseLost(f"Run {claim.run_id} was taken over by another worker.")
