"""What became of the pull requests of each repository and which model did what: for the web pages, and for
`routing: measured`."""

import json
from collections.abc import Iterable

import sqlalchemy as sa

from bot.log.events import Published, WorkLeft
from bot.storage.database import reading
from bot.storage.listing import Visible, newest_events, seen
from bot.storage.tables import events, model_use, runs
from gherkin.values import Frozen
from runners.contract.routing import ModelUse, RunResult

_OPEN = ("active", "paused")
_MERGED = ("merged", "edited")
_MOST_PULLS = 100
_MOST_RESULTS = 400
# Other ends, such as a question or a failed server, say nothing about a model.
_SUCCESS = {"done": True, "gave_up": False, "active": None, "paused": None}
_TURNED_DOWN = ("closed", "reverted")


class RepositoryLine(Frozen):
    """The results of a repository's runs and pull requests.

    `ended` and `done` count runs, `waiting` to `reverted` pull requests: still open, merged as they were,
    merged after edits, closed, merged and later reverted. `to_pull` is the median of seconds from request to
    pull request; `cost` of all runs is in US dollars.
    """

    forge: str
    repo: str
    runs: int
    open: int
    done: int
    ended: int
    waiting: int = 0
    merged: int = 0
    edited: int = 0
    closed: int = 0
    reverted: int = 0
    to_pull: float | None = None
    cost: float
    tokens: int

    @property
    def kept(self) -> int:
        """Return the pull requests that were merged and not reverted."""
        return self.merged + self.edited


class PullLine(Frozen):
    """A pull request of the bot, and the runs that worked on it.

    `run_id` is the newest of `runs` runs, and `proven` says whether its work was proven. `became` is empty
    while the pull request is open. `to_pull` is in seconds from request to pull request. `models` are those
    that wrote the code.
    """

    number: int
    title: str
    run_id: str
    url: str
    became: str
    person: str
    proven: bool
    runs: int
    to_pull: float | None
    tokens: int
    cost: float
    models: tuple[str, ...]


class ModelLine(Frozen):
    """What one model did in one kind of work; `kept` of `pulls` pull requests with its work were merged and
    not reverted."""

    work: str
    model: str
    runs: int
    turns: int
    tokens: int
    seconds: float
    cost: float
    pulls: int
    kept: int


def repositories(engine: sa.Engine, visible: Visible) -> list[RepositoryLine]:
    """Return each repository with runs, that with the newest run first."""
    sums = (
        sa.select(
            runs.c.forge,
            runs.c.repo,
            sa.func.count().label("runs"),
            _count(runs.c.status.in_(_OPEN)).label("open"),
            _count(runs.c.status == "done").label("done"),
            _count(runs.c.status.not_in(_OPEN)).label("ended"),
            sa.func.sum(runs.c.cost).label("cost"),
            sa.func.sum(runs.c.tokens).label("tokens"),
        )
        .where(*seen(visible))
        .group_by(runs.c.forge, runs.c.repo)
        .order_by(sa.func.max(runs.c.id).desc())
    )
    times = sa.select(runs.c.forge, runs.c.repo, (runs.c.published_at - runs.c.created_at).label("seconds"))
    times = times.where(runs.c.published_at.is_not(None), runs.c.kind == "implement", *seen(visible))
    pulls = (
        sa.select(runs.c.forge, runs.c.repo, runs.c.pull, sa.func.max(runs.c.became).label("became"))
        .where(runs.c.pull > 0, *seen(visible))
        .group_by(runs.c.forge, runs.c.repo, runs.c.pull)
    )
    taken: dict[tuple[str, str], list[float]] = {}
    ends: dict[tuple[str, str], dict[str, int]] = {}
    with reading(engine) as db:
        for row in db.execute(times):
            taken.setdefault((row.forge, row.repo), []).append(row.seconds)
        for each in db.execute(pulls):
            counted = ends.setdefault((each.forge, each.repo), {})
            name = each.became or "waiting"
            counted[name] = counted.get(name, 0) + 1
        return [
            RepositoryLine.model_validate(
                {
                    **row._mapping,
                    **ends.get((row.forge, row.repo), {}),
                    "cost": float(row.cost),
                    "to_pull": _middle(taken.get((row.forge, row.repo))),
                }
            )
            for row in db.execute(sums)
        ]


def pulls_of(engine: sa.Engine, forge: str, repo: str) -> list[PullLine]:
    """Return the newest pull requests of a repository, newest first."""
    query = (
        sa.select(runs)
        .where(runs.c.forge == forge, runs.c.repo == repo, runs.c.pull > 0)
        .order_by(runs.c.pull.desc(), runs.c.id)
    )
    with reading(engine) as db:
        by_pull: dict[int, list[sa.Row[tuple[object, ...]]]] = {}
        for row in db.execute(query):
            by_pull.setdefault(row.pull, []).append(row)
        chosen = list(by_pull.items())[:_MOST_PULLS]
        ids = [row.id for _, rows in chosen for row in rows]
        urls = {
            run_id: Published.model_validate_json(data).url
            for run_id, (data, _at) in newest_events(db, ids, "Published").items()
        }
        urls |= {
            run_id: WorkLeft.model_validate_json(data).url
            for run_id, (data, _at) in newest_events(db, ids, "WorkLeft").items()
            if run_id not in urls
        }
        wrote = sa.select(model_use.c.run_id, model_use.c.model)
        wrote = wrote.where(model_use.c.run_id.in_(ids), model_use.c.work == "implement")
        models: dict[str, list[str]] = {}
        for each in db.execute(wrote.order_by(model_use.c.turns.desc())):
            models.setdefault(each.run_id, []).append(each.model)
    return [
        PullLine(
            number=number,
            title=rows[0].title,
            run_id=rows[-1].id,
            url=next((urls[row.id] for row in reversed(rows) if urls.get(row.id)), ""),
            became=rows[-1].became,
            person=rows[0].person,
            proven=any(row.status == "done" for row in rows),
            runs=len(rows),
            to_pull=_first_time(rows),
            tokens=sum(row.tokens for row in rows),
            cost=sum(row.cost for row in rows),
            models=tuple(dict.fromkeys(model for row in rows for model in models.get(row.id, ()))),
        )
        for number, rows in chosen
    ]


def models_of(engine: sa.Engine, forge: str, repo: str) -> list[ModelLine]:
    """Return what each model did for a repository, by kind of work, those with the most tokens first."""
    kept = sa.case((runs.c.became.in_(_MERGED), runs.c.pull))
    query = (
        sa.select(
            model_use.c.work,
            model_use.c.model,
            sa.func.count().label("runs"),
            sa.func.sum(model_use.c.turns).label("turns"),
            sa.func.sum(model_use.c.tokens).label("tokens"),
            sa.func.sum(model_use.c.seconds).label("seconds"),
            sa.func.sum(model_use.c.cost).label("cost"),
            sa.func.count(sa.distinct(sa.case((runs.c.pull > 0, runs.c.pull)))).label("pulls"),
            sa.func.count(sa.distinct(kept)).label("kept"),
        )
        .join(runs, runs.c.id == model_use.c.run_id)
        .where(runs.c.forge == forge, runs.c.repo == repo)
        .group_by(model_use.c.work, model_use.c.model)
        .order_by(sa.desc("tokens"), model_use.c.work, model_use.c.model)
    )
    with reading(engine) as db:
        return [
            ModelLine.model_validate({**row._mapping, "tokens": int(row.tokens), "turns": int(row.turns)})
            for row in db.execute(query)
        ]


def model_results(engine: sa.Engine, but: str = "") -> list[RunResult]:
    """Return the newest runs of all repositories that were proven, gave up or are open.

    The run `but` is left out. A proven run whose pull request was closed or reverted is no success.
    """
    chosen = (
        sa.select(runs.c.id, runs.c.status, runs.c.became)
        .where(runs.c.status.in_(list(_SUCCESS)), runs.c.id != but)
        .order_by(runs.c.id.desc())
        .limit(_MOST_RESULTS)
    )
    with reading(engine) as db:
        rows = db.execute(chosen).all()
        ids = [row.id for row in rows]
        kinds = {
            run: json.loads(data)["kind"] for run, (data, _) in newest_events(db, ids, "SpecWritten").items()
        }
        routed: dict[str, dict[str, str]] = {}
        query = sa.select(events.c.run_id, events.c.data)
        query = query.where(events.c.run_id.in_(ids), events.c.type == "ModelRouted").order_by(events.c.seq)
        for row in db.execute(query):
            event = json.loads(row.data)
            routed.setdefault(row.run_id, {})[event["role"]] = event["runtime"]
        uses: dict[str, list[ModelUse]] = {}
        order = (model_use.c.run_id, model_use.c.work, model_use.c.model)
        for each in db.execute(sa.select(model_use).where(model_use.c.run_id.in_(ids)).order_by(*order)):
            uses.setdefault(each.run_id, []).append(
                ModelUse(
                    work=each.work, model=each.model, turns=each.turns, tokens=each.tokens, cost=each.cost
                )
            )
    return [
        RunResult(
            kind=kinds.get(row.id, ""),
            success=False if row.became in _TURNED_DOWN else _SUCCESS[row.status],
            routed=routed.get(row.id, {}),
            uses=tuple(uses.get(row.id, ())),
        )
        for row in rows
    ]


def _first_time(rows: Iterable[sa.Row[tuple[object, ...]]]) -> float | None:
    """Return the seconds from the first request to its pull request; None for work that was not proven."""
    return next((row.published_at - row.created_at for row in rows if row.published_at is not None), None)


def _count(condition: sa.ColumnElement[bool]) -> sa.ColumnElement[int]:
    return sa.func.sum(sa.case((condition, 1), else_=0))


def _middle(found: list[float] | None) -> float | None:
    """Return the median of numbers; the higher of the two in the middle."""
    return sorted(found)[len(found) // 2] if found else None
