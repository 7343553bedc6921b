"""Follow the logs of the runs that people look at, with one query a second for all of them together."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool

from bot.log.events import Entry
from bot.storage.listing import last_entries
from bot.storage.store import Store
from gherkin.errors import described

log = logging.getLogger(__name__)

V = TypeVar("V")


class TooManyListeners(Exception):
    """This process already follows as many pages as it can."""


@dataclass
class View(Generic[V]):
    """A run's log up to now, and what `show` made of it."""

    entries: list[Entry]
    shown: V


@dataclass
class _Followed(Generic[V]):
    view: View[V] | None = None
    listeners: int = 0
    changed: asyncio.Event = field(default_factory=asyncio.Event)


class Feed(Generic[V]):
    """The runs that are followed. It belongs to one event loop.

    `show(run_id, entries)` is called once for each change of a run, in a thread. The database is queried
    every `seconds`; there are at most `most` listeners. A listener that gets nothing new for `idle` seconds
    gets None, so that broken connections are noticed.
    """

    def __init__(
        self,
        store: Store,
        show: Callable[[str, Sequence[Entry]], V],
        *,
        seconds: float = 1.0,
        most: int = 200,
        idle: float = 15.0,
    ) -> None:
        self._store = store
        self._show = show
        self._seconds = seconds
        self._most = most
        self._idle = idle
        self._runs: dict[str, _Followed[V]] = {}
        self._task: asyncio.Task[None] | None = None

    @property
    def listeners(self) -> int:
        """Return how many listeners there are now."""
        return sum(each.listeners for each in self._runs.values())

    @property
    def is_full(self) -> bool:
        """Return whether there is no room for another listener."""
        return self.listeners >= self._most

    @contextlib.asynccontextmanager
    async def follow(self, run_id: str, after: int) -> AsyncIterator[AsyncIterator[View[V] | None]]:
        """Yield views of a run whenever its log is longer than `after` entries and longer than the last time.

        Raises `TooManyListeners`.
        """
        if self.is_full:
            raise TooManyListeners
        followed = self._runs.setdefault(run_id, _Followed())
        followed.listeners += 1
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._poll())
        try:
            yield self._views(followed, after)
        finally:
            followed.listeners -= 1
            if not followed.listeners:
                self._runs.pop(run_id, None)

    async def _views(self, followed: _Followed[V], after: int) -> AsyncIterator[View[V] | None]:
        while True:
            changed = followed.changed
            view = followed.view
            if view is not None and len(view.entries) > after:
                after = len(view.entries)
                yield view
                continue
            try:
                await asyncio.wait_for(changed.wait(), self._idle)
            except TimeoutError:
                yield None

    async def _poll(self) -> None:
        while self._runs:
            try:
                for run_id, last in (await run_in_threadpool(self._last)).items():
                    followed = self._runs.get(run_id)
                    known = len(followed.view.entries) if followed and followed.view else 0
                    if followed is None or last <= known:
                        continue
                    followed.view = await run_in_threadpool(self._read, run_id, followed.view)
                    followed.changed.set()
                    followed.changed = asyncio.Event()
            except SQLAlchemyError as error:
                log.warning("the runs that are followed could not be read: %s", described(error))
            except Exception:
                # One run that cannot be shown must not end the others.
                log.exception("a run that is followed could not be shown")
            await asyncio.sleep(self._seconds)

    def _last(self) -> dict[str, int]:
        return last_entries(self._store.engine, list(self._runs))

    def _read(self, run_id: str, before: View[V] | None) -> View[V]:
        known = before.entries if before else []
        entries = [*known, *self._store.entries(run_id, after=len(known))]
        return View(entries, self._show(run_id, entries))
