"""Tell observers what was appended to the logs of runs, once for each transaction that is committed.

Metrics and traces are made from this. An observer that fails is logged and changes nothing.
"""

import logging
from collections.abc import Callable, Sequence
from weakref import WeakKeyDictionary

import sqlalchemy as sa

from bot.log.events import Entry
from gherkin.values import Frozen

log = logging.getLogger(__name__)

_KEY = "scenarist.appended"


class Appended(Frozen):
    """The new entries of one run's log, in their order; `kind` is the kind of its work order."""

    run_id: str
    forge: str
    repo: str
    kind: str
    entries: tuple[Entry, ...]


Observer = Callable[[Appended], None]
_observers: "WeakKeyDictionary[sa.Engine, list[Observer]]" = WeakKeyDictionary()


def observe(engine: sa.Engine, observer: Observer) -> None:
    """Call `observer` for what is appended through `engine`, right before the transaction is committed."""
    known = _observers.setdefault(engine, [])
    known.append(observer)
    if len(known) == 1:
        sa.event.listen(engine, "commit", lambda db: _tell(db, known))
        sa.event.listen(engine, "rollback", lambda db: db.info.pop(_KEY, None))


def is_observed(db: sa.Connection) -> bool:
    """Return whether somebody observes the engine of `db`."""
    return db.engine in _observers


def appended(db: sa.Connection, run_id: str, place: tuple[str, str, str], new: Sequence[Entry]) -> None:
    """Note what a transaction appends; `place` is the forge, the repository and the kind of the run."""
    forge, repo, kind = place
    noted = Appended(run_id=run_id, forge=forge, repo=repo, kind=kind, entries=tuple(new))
    db.info.setdefault(_KEY, []).append(noted)


def _tell(db: sa.Connection, observers: Sequence[Observer]) -> None:
    for noted in db.info.pop(_KEY, ()):
        for observer in observers:
            try:
                observer(noted)
            except Exception:
                log.exception("run %s: its new events were not counted", noted.run_id)
