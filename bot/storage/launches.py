"""Launches: runs whose next phases are done by a process that a dispatcher starts for them.

A launch is named by its run and by the fence that the run had then. It is current until somebody else works
on the run or controls it. The table is the only truth about that; dispatchers keep nothing.
"""

import re
from collections.abc import Callable, Iterable
from typing import Literal

import sqlalchemy as sa

from bot.log.events import RUNNER_PHASES, Phase
from bot.storage.database import reading
from bot.storage.leases import RunClaim, ready
from bot.storage.tables import runs
from bot.storage.usage import too_many_at_once
from gherkin.values import Frozen
from runners.contract.operator_limits import Allowances, Runner

_DAY_S = 24 * 3600.0


class Launch(Frozen):
    """The next phases of a run, which waits with this `fence`."""

    run_id: str
    fence: int

    @property
    def name(self) -> str:
        """Return the launch's name, by which it is found again: a DNS label of at most 63 characters (RFC
        1123).
        """
        return f"scenarist-run-{self.run_id.lower()}-{self.fence}"


def launch_named(name: str) -> Launch | None:
    """Return the launch with this name, or None if it is no name of one."""
    found = re.fullmatch(r"scenarist-run-([0-9a-z]{26})-(\d+)", name)
    return None if found is None else Launch(run_id=found[1].upper(), fence=int(found[2]))


# `waiting`: it has not begun. `between`: one of its phases has ended and it may do the next one. `silent`:
# its lease has run out, so others may take the run.
LaunchStanding = Literal["waiting", "working", "between", "silent"]


class WaitingRun(Frozen):
    """A run that waits for a launch."""

    launch: Launch
    forge: str
    repo: str
    phase: Phase


class Launches:
    """Reads and writes of dispatchers.

    `clock` gives seconds since the epoch, `allowances` limit how much may be worked on at once.
    """

    engine: sa.Engine
    clock: Callable[[], float]
    allowances: Allowances

    def runs_to_launch(self, runner: Runner, limit: int) -> list[WaitingRun]:
        """Return at most `limit` runs that a launch could claim now, those that are due longest first."""
        now = self.clock()
        query = (
            sa.select(runs.c.id, runs.c.fence, runs.c.forge, runs.c.repo, runs.c.phase)
            .where(*ready(RUNNER_PHASES, now, runner), *too_many_at_once(self.allowances, now))
            .order_by(runs.c.due_at)
            .limit(limit)
        )
        with reading(self.engine) as db:
            return [
                WaitingRun(
                    launch=Launch(run_id=row.id, fence=row.fence),
                    forge=row.forge,
                    repo=row.repo,
                    phase=row.phase,
                )
                for row in db.execute(query)
            ]

    def repos_at(self, forge: str, runner: Runner) -> list[tuple[str, int]]:
        """Return (full name, installation) of the repositories with runs that are done at `runner`.

        Only runs that have not ended, and those of the last day.
        """
        query = (
            sa.select(runs.c.repo, runs.c.installation)
            .where(
                runs.c.forge == forge,
                runs.c.runner == runner,
                sa.or_(runs.c.status.in_(["active", "paused"]), runs.c.created_at > self.clock() - _DAY_S),
            )
            .distinct()
        )
        with reading(self.engine) as db:
            return [(row.repo, row.installation) for row in db.execute(query)]

    def repos_of(self, run_ids: Iterable[str]) -> dict[str, tuple[str, str]]:
        """Return (forge, full name) of the repository of each run that there is."""
        query = sa.select(runs.c.id, runs.c.forge, runs.c.repo).where(runs.c.id.in_(list(run_ids)))
        with reading(self.engine) as db:
            return {row.id: (row.forge, row.repo) for row in db.execute(query)}

    def standing(self, launches: Iterable[Launch]) -> dict[Launch, LaunchStanding]:
        """Return where each of `launches` stands that is current."""
        now = self.clock()
        known: dict[str, list[Launch]] = {}
        for each in launches:
            known.setdefault(each.run_id, []).append(each)
        query = sa.select(runs.c.id, runs.c.fence, runs.c.holder, runs.c.lease_until).where(
            runs.c.id.in_(known), runs.c.status == "active", runs.c.phase.in_(list(RUNNER_PHASES))
        )
        found: dict[Launch, LaunchStanding] = {}
        with reading(self.engine) as db:
            for row in db.execute(query):
                for each in known[row.id]:
                    if row.lease_until is None and row.fence == each.fence:
                        found[each] = "waiting"
                    elif row.holder != each.name:
                        continue
                    elif row.lease_until is None:
                        found[each] = "between"
                    else:
                        found[each] = "working" if row.lease_until >= now else "silent"
        return found

    def take_from(self, launch: Launch, seconds: float, holder: str) -> RunClaim | None:
        """Take the lease of the launch's run for `seconds`, because the launch has ended or failed.

        Returns None if the launch is not current.
        """
        waits = sa.and_(runs.c.fence == launch.fence, runs.c.lease_until.is_(None))
        statement = (
            sa.update(runs)
            .where(
                runs.c.id == launch.run_id,
                runs.c.status == "active",
                runs.c.phase.in_(list(RUNNER_PHASES)),
                sa.or_(runs.c.holder == launch.name, waits),
            )
            .values(fence=runs.c.fence + 1, lease_until=self.clock() + seconds, holder=holder)
            .returning(runs.c.phase, runs.c.fence, runs.c.attempts, runs.c.repo)
        )
        with self.engine.begin() as db:
            row = db.execute(statement).one_or_none()
        if row is None:
            return None
        return RunClaim(
            run_id=launch.run_id, phase=row.phase, fence=row.fence, attempts=row.attempts, repo=row.repo
        )
