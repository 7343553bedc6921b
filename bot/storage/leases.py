"""Leases: a worker claims a run, and writes to it as long as its claim is valid."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from bot.log.events import RUNNER_PHASES, Event, Phase, Status
from bot.storage.database import passed, reading, writing_ahead
from bot.storage.run_log import append, put
from bot.storage.tables import runs
from bot.storage.usage import COUNTED_PHASES, count_alone, too_many_at_once
from gherkin.errors import ScenaristError
from gherkin.values import Frozen
from runners.contract.events import ModelReplied
from runners.contract.operator_limits import Allowances, Runner


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
    repo: str = ""


def ready(phases: Iterable[Phase], now: float, runner: Runner | None) -> list[sa.ColumnElement[bool]]:
    """Return the conditions for a run that a worker of `phases` can claim at the time `now`.

    They are what `Leases.claim` says, but for its allowances.
    """
    first = runs.alias()
    waits = sa.exists().where(
        first.c.target == runs.c.target,
        first.c.status == "active",
        sa.tuple_(first.c.place, first.c.id) < sa.tuple_(runs.c.place, runs.c.id),
    )
    return [
        runs.c.status == "active",
        runs.c.phase.in_(list(phases)),
        sa.or_(runs.c.due_at == now, passed(runs.c.due_at, now)),
        sa.or_(runs.c.lease_until.is_(None), passed(runs.c.lease_until, now)),
        ~waits,
        *_done_at(runner),
    ]


def _done_at(runner: Runner | None) -> list[sa.ColumnElement[bool]]:
    if runner is None:
        return []
    return [sa.or_(runs.c.runner == runner, runs.c.phase.not_in(list(RUNNER_PHASES)))]


class Leases:
    """Claims of runs, and what is written under them.

    `clock` gives seconds since the epoch, `allowances` limit how much may be worked on at once.
    """

    engine: sa.Engine
    clock: Callable[[], float]
    allowances: Allowances

    def claim(
        self,
        run_id: str,
        phases: Iterable[Phase],
        seconds: float,
        holder: str = "",
        *,
        runner: Runner | None = None,
        fence: int | None = None,
    ) -> RunClaim | None:
        """Take the lease of a run whose next phase is one of `phases`, for `seconds`, as the worker `holder`.

        Returns None if the run has ended, another worker has its lease, it is not due yet, or an earlier run
        on the same target has not ended. With `runner`, phases that run repository code are claimed only for
        runs that are done there. With `fence`, a run is claimed only as long as its fence has this number.
        """
        now = self.clock()
        counted = too_many_at_once(self.allowances, now) if set(phases) & COUNTED_PHASES else []
        statement = (
            sa.update(runs)
            .where(
                runs.c.id == run_id,
                *ready(phases, now, runner),
                *([runs.c.fence == fence] if fence is not None else []),
                *counted,
            )
            .values(
                fence=runs.c.fence + 1,
                lease_until=now + seconds,
                attempts=runs.c.attempts + 1,
                holder=holder,
            )
            .returning(runs.c.phase, runs.c.fence, runs.c.attempts, runs.c.repo)
        )
        with self.engine.begin() as db:
            if counted:
                count_alone(db)
            row = db.execute(statement).one_or_none()
        if row is None:
            return None
        return RunClaim(run_id=run_id, phase=row.phase, fence=row.fence, attempts=row.attempts, repo=row.repo)

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
            .values(fence=claim.fence + 1, lease_until=None, holder="", **values)
        )
        with self.engine.begin() as db:
            return bool(db.execute(statement).rowcount)

    def log(self, claim: RunClaim, new: Sequence[Event], blobs: Mapping[str, bytes] | None = None) -> None:
        """Append events and store artifacts in one transaction, under the claim. Raises `LeaseLost`.

        Replies of a model do not wait for the disk: what is made of them is stored next, and makes them
        durable. If the power fails before, the model is asked again.
        """
        ahead = not blobs and all(isinstance(event, ModelReplied) for event in new)
        with writing_ahead(self.engine) if ahead else self.engine.begin() as db:
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

    def free_orphans(self, is_gone: Callable[[str], bool]) -> list[tuple[str, Phase]]:
        """End the leases of the workers for whose identity `is_gone` is true.

        Return (id, phase) of the runs that can continue.
        """
        held = sa.select(runs.c.id, runs.c.phase, runs.c.fence, runs.c.holder).where(
            runs.c.status == "active", runs.c.lease_until >= self.clock()
        )
        with reading(self.engine) as db:
            orphans = [row for row in db.execute(held) if is_gone(row.holder)]
        return [(row.id, row.phase) for row in orphans if self.take_away(row.id, row.fence)]

    def holders(self) -> list[str]:
        """Return the workers that work on phases that run repository code, one for each run."""
        held = sa.select(runs.c.holder).where(
            runs.c.status == "active",
            runs.c.lease_until >= self.clock(),
            runs.c.phase.in_(list(RUNNER_PHASES)),
        )
        with reading(self.engine) as db:
            return list(db.execute(held).scalars())

    def take_away(self, run_id: str, fence: int) -> bool:
        """End the lease with the number `fence`, so that another worker can continue the run.

        Return False if that lease has ended already.
        """
        statement = (
            sa.update(runs)
            .where(runs.c.id == run_id, runs.c.fence == fence)
            .values(fence=fence + 1, lease_until=None, holder="")
        )
        with self.engine.begin() as db:
            return bool(db.execute(statement).rowcount)

    def due_runs(
        self, older_than: float, phases: Iterable[Phase], limit: int, runner: Runner | None = None
    ) -> list[tuple[str, Phase]]:
        """Return (id, phase) of active runs without a claim that have been due for `older_than` seconds.

        Only runs whose next phase is one of `phases`, and at most `limit` of them. With `runner`, only runs
        that are done there, unless their next phase runs no repository code.
        """
        now = self.clock()
        query = (
            sa.select(runs.c.id, runs.c.phase)
            .where(
                runs.c.status == "active",
                runs.c.phase.in_(list(phases)),
                passed(runs.c.due_at, now - older_than),
                sa.or_(runs.c.lease_until.is_(None), passed(runs.c.lease_until, now)),
                *_done_at(runner),
            )
            .order_by(runs.c.due_at)
            .limit(limit)
        )
        with reading(self.engine) as db:
            return [(row.id, row.phase) for row in db.execute(query)]

    def is_current(self, claim: RunClaim) -> bool:
        """Return whether the claim is still valid."""
        query = sa.select(runs.c.fence).where(runs.c.id == claim.run_id)
        with reading(self.engine) as db:
            return db.execute(query).scalar() == claim.fence

    def _write(self, db: sa.Connection, claim: RunClaim, **values: Any) -> None:
        """Set `values` on the claim's run in one statement. Raises `LeaseLost` if the claim is not valid.

        The claim ends with its phase: the fence is still the same then, but there is no lease any more.
        """
        statement = (
            sa.update(runs)
            .where(runs.c.id == claim.run_id, runs.c.fence == claim.fence, runs.c.lease_until.is_not(None))
            .values(fence=claim.fence, **values)
        )
        if not db.execute(statement).rowcount:
            raise LeaseLost(f"Run {claim.run_id} was taken over by another worker.")
