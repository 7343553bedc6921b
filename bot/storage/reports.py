"""Which process edits the status comment of a run, and up to which event the comment shows the log."""

from collections.abc import Callable, Sequence
from typing import Any

import sqlalchemy as sa

from bot.log.events import Asked, Labelled, StatusPosted
from bot.storage.database import passed, reading
from bot.storage.run_log import append
from bot.storage.tables import runs


class Reports:
    """The rights to edit status comments: for each run, one process at a time has it.

    `clock` gives seconds since the epoch.
    """

    def __init__(self, engine: sa.Engine, clock: Callable[[], float]) -> None:
        self._engine = engine
        self._clock = clock

    def begin(self, run_id: str, seconds: float) -> int | None:
        """Take the right to edit the run's status comment for `seconds`; None while another process has it.

        Returns a fencing number, which is valid until another process gets a newer one.
        """
        now = self._clock()
        statement = (
            sa.update(runs)
            .where(
                runs.c.id == run_id, sa.or_(runs.c.report_until.is_(None), passed(runs.c.report_until, now))
            )
            .values(report_until=now + seconds, report_fence=runs.c.report_fence + 1)
            .returning(runs.c.report_fence)
        )
        with self._engine.begin() as db:
            return db.execute(statement).scalar()

    def extend(self, run_id: str, fence: int, seconds: float) -> bool:
        """Extend the right to report to `seconds` from now; returns False if another process has it."""
        with self._engine.begin() as db:
            return self._reporting(db, run_id, fence, report_until=self._clock() + seconds)

    def end(
        self, run_id: str, fence: int, seq: int, posted: Sequence[StatusPosted | Asked | Labelled] = ()
    ) -> bool:
        """Release the right to report after showing the log up to `seq`; return False without that right.

        `posted` are the comments that are new; they are appended to the log.
        """
        with self._engine.begin() as db:
            held = self._reporting(db, run_id, fence, report_until=None, reported_seq=seq)
            if held and posted:
                append(db, run_id, posted, self._clock())
                # The status comment does not show the events about its own comments.
                last = seq + len(posted)
                alone = (runs.c.id == run_id, runs.c.seq == last)
                db.execute(sa.update(runs).where(*alone).values(reported_seq=last))
        return held

    @staticmethod
    def _reporting(db: sa.Connection, run_id: str, fence: int, **values: Any) -> bool:
        own = (runs.c.id == run_id, runs.c.report_fence == fence, runs.c.report_until.is_not(None))
        return bool(db.execute(sa.update(runs).where(*own).values(**values)).rowcount)

    def stale(self, limit: int = 100) -> list[str]:
        """Return runs whose status comment is behind their log and is not being edited."""
        query = (
            sa.select(runs.c.id)
            .where(
                runs.c.reported_seq < runs.c.seq,
                sa.or_(runs.c.report_until.is_(None), passed(runs.c.report_until, self._clock())),
            )
            .limit(limit)
        )
        with reading(self._engine) as db:
            return list(db.execute(query).scalars())

    def is_current(self, run_id: str) -> bool:
        """Return whether a run's status comment shows all of its log and is not being edited."""
        query = sa.select(runs.c.reported_seq >= runs.c.seq).where(runs.c.id == run_id)
        with reading(self._engine) as db:
            return bool(db.execute(query).scalar())
