"""What runs have used, by repository and installation, and their allowances at one time and in a day."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from bot.log.events import Event, Phase, RunRequested
from bot.storage.database import reading
from bot.storage.tables import runs
from gherkin.errors import ScenaristError
from gherkin.values import Frozen
from runners.contract.events import ModelReplied, ToolCalled
from runners.contract.operator_limits import Allowance, Allowances

# The number of our advisory lock in PostgreSQL.
_COUNTING = 5_107_112_001
DAY_S = 24 * 3600.0
COUNTED_PHASES: frozenset[Phase] = frozenset(["specify", "implement", "verify"])


class AllowanceUsed(ScenaristError):
    """The daily allowance of a repository, an installation or this bot is used up."""

    code = "SCN-1103"
    next_step = (
        "Set the label again tomorrow, or ask the operator for a larger allowance (`allowances` in the "
        "limits file)."
    )


class Used(Frozen):
    """The use of some runs: their number, those with a pull request, tokens, US dollars, minutes of work."""

    runs: int = 0
    done: int = 0
    tokens: int = 0
    cost: float = 0.0
    minutes: float = 0.0


def used_by(new: Sequence[Event]) -> tuple[int, float, float]:
    """Return the tokens, the cost in US dollars and the seconds of new events."""
    replies = [event for event in new if isinstance(event, ModelReplied)]
    calls = [event for event in new if isinstance(event, ToolCalled)]
    tokens = sum(each.reply.usage.prompt_tokens + each.reply.usage.completion_tokens for each in replies)
    seconds = sum(each.seconds for each in replies) + sum(each.seconds for each in calls)
    return tokens, sum(each.cost for each in replies), seconds


def usage(engine: sa.Engine, since: float, *, but: str = "", **where: object) -> Used:
    """Return what runs requested after `since` (seconds since the epoch) have used, without the run `but`.

    `where` are conditions on columns.
    """
    query = sa.select(*_SUMS).where(runs.c.created_at > since, runs.c.id != but)
    query = query.where(*(runs.c[name] == value for name, value in where.items()))
    with reading(engine) as db:
        return _used(db.execute(query).one())


def usage_by_repository(engine: sa.Engine, since: float) -> list[tuple[str, str, Used]]:
    """Return (forge, repository, use) of runs since `since` (seconds since the epoch), by falling cost."""
    query = (
        sa.select(runs.c.forge, runs.c.repo, *_SUMS)
        .where(runs.c.created_at > since)
        .group_by(runs.c.forge, runs.c.repo)
        .order_by(sa.desc("cost"), sa.desc("tokens"), runs.c.repo)
    )
    with reading(engine) as db:
        return [(row.forge, row.repo, _used(row)) for row in db.execute(query)]


_SUMS = (
    sa.func.count().label("runs"),
    sa.func.coalesce(sa.func.sum(sa.case((runs.c.status == "done", 1), else_=0)), 0).label("done"),
    sa.func.coalesce(sa.func.sum(runs.c.tokens), 0).label("tokens"),
    sa.func.coalesce(sa.func.sum(runs.c.cost), 0.0).label("cost"),
    sa.func.coalesce(sa.func.sum(runs.c.seconds), 0.0).label("seconds"),
)


def _used(row: Any) -> Used:
    return Used(
        runs=row.runs,
        done=row.done,
        tokens=int(row.tokens),
        cost=round(float(row.cost), 4),
        minutes=round(float(row.seconds) / 60, 1),
    )


def check_day(
    engine: sa.Engine, allowances: Allowances, request: RunRequested, run_id: str, now: float
) -> None:
    """Raise `AllowanceUsed` when a day's allowance was used up before the run `run_id`."""
    scopes: list[tuple[str, Allowance, dict[str, object]]] = [
        ("this bot", allowances.total, {}),
        (
            f"repository {request.repo}",
            allowances.repository,
            {"forge": request.forge, "repo": request.repo},
        ),
    ]
    if request.installation:
        where: dict[str, object] = {"forge": request.forge, "installation": request.installation}
        scopes.append(("this installation", allowances.installation, where))
    for name, allowance, where in scopes:
        if allowance == Allowance():
            continue
        reached = allowance.reached(usage(engine, now - DAY_S, but=run_id, **where))
        if reached:
            raise AllowanceUsed(f"In the last 24 hours {name} has used its {reached}.")


def count_alone(db: sa.Connection) -> None:
    """Lock out other claims until the transaction ends, so that two of them do not count the same free place.

    SQLite needs no lock, because it has one writer at a time.
    """
    if db.dialect.name == "postgresql":
        db.execute(sa.select(sa.func.pg_advisory_xact_lock(_COUNTING)))


def too_many_at_once(allowances: Allowances, now: float) -> Sequence[Any]:
    """Return conditions on a run to be claimed, which fail if as many runs as allowed are being worked on."""
    other = runs.alias("other")
    busy = (other.c.lease_until >= now, other.c.phase.in_(sorted(COUNTED_PHASES)), other.c.id != runs.c.id)
    conditions = []
    for allowance, columns in (
        (allowances.total, ()),
        (allowances.repository, ("forge", "repo")),
        (allowances.installation, ("forge", "installation")),
    ):
        if allowance.runs_at_once is not None:
            count = sa.select(sa.func.count()).where(
                *busy, *(other.c[name] == runs.c[name] for name in columns)
            )
            conditions.append(count.scalar_subquery() < allowance.runs_at_once)
    return conditions
