"""The store of runs with their leases, logs and artifacts."""

import time
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from ulid import ULID

from bot.log.events import Controlled, Event, PhaseFinished, RunRequested, Status
from bot.storage.database import add_row, connect
from bot.storage.launches import Launches
from bot.storage.leases import Leases
from bot.storage.reports import Reports
from bot.storage.run_log import append, instructions, supersede
from bot.storage.run_reads import RunReads
from bot.storage.tables import deliveries, runs
from runners.contract.events import Instructed
from runners.contract.operator_limits import Allowances


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


class Store(Leases, Launches, RunReads):
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
                supersede(db, run_id, target, self.clock())
            if delivery_id is not None:
                outcome = f"run {run_id}" if created else "already requested"
                db.execute(
                    sa.update(deliveries)
                    .where(deliveries.c.id == delivery_id)
                    .values(state="handled", outcome=outcome, body=b"")
                )
        return run_id if created else None

    def note(self, run_id: str, event: Event) -> None:
        """Append an event that needs no claim, because it comes from outside the phases."""
        with self.engine.begin() as db:
            append(db, run_id, [event], self.clock())

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
            .values(fence=runs.c.fence + 1, lease_until=None, holder="", attempts=0, **values)
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
