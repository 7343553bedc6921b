"""Store deliveries, many in one transaction, and send wake-ups to the intake workers.

A durable commit takes about a millisecond. Deliveries that wait at the same time share one, which keeps the
latency of each request low and the number of commits small.
"""

import asyncio
import logging
import queue
import threading
from collections.abc import Callable, Sequence

from sqlalchemy.exc import SQLAlchemyError

from bot.intake.deliveries import Deliveries, Delivery
from gherkin.errors import described

log = logging.getLogger(__name__)

_BATCH = 200


class Inbox:
    """`wake(ids)` sends the wake-up to the intake workers. If it fails, the reaper sends it later."""

    def __init__(self, deliveries: Deliveries, wake: Callable[[Sequence[str]], None]) -> None:
        self._deliveries = deliveries
        self._wake = wake
        self._incoming: queue.SimpleQueue[tuple[Delivery, asyncio.Future[bool]] | None] = queue.SimpleQueue()
        self._stored: queue.SimpleQueue[list[str] | None] = queue.SimpleQueue()
        self._threads = [
            threading.Thread(target=self._write, name="inbox-write", daemon=True),
            threading.Thread(target=self._wake_workers, name="inbox-wake-ups", daemon=True),
        ]
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self) -> None:
        """Begin to work; to be called inside the running event loop."""
        self._loop = asyncio.get_running_loop()
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Store what has come and end."""
        self._incoming.put(None)
        for thread in self._threads:
            thread.join()

    @property
    def is_working(self) -> bool:
        """Return whether the threads that store deliveries and send wake-ups are alive."""
        return all(thread.is_alive() for thread in self._threads)

    async def put(self, delivery: Delivery) -> bool:
        """Store a delivery durably; returns whether it is new. Raises SQLAlchemy's errors."""
        future: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._incoming.put((delivery, future))
        return await future

    def _write(self) -> None:
        while True:
            batch, last = self._take()
            if batch:
                self._store_batch(batch)
            if last:
                self._stored.put(None)
                return

    def _take(self) -> tuple[list[tuple[Delivery, "asyncio.Future[bool]"]], bool]:
        first = self._incoming.get()
        if first is None:
            return [], True
        batch = [first]
        while len(batch) < _BATCH:
            try:
                item = self._incoming.get_nowait()
            except queue.Empty:
                break
            if item is None:
                return batch, True
            batch.append(item)
        return batch, False

    def _store_batch(self, batch: list[tuple[Delivery, "asyncio.Future[bool]"]]) -> None:
        try:
            added = self._deliveries.add([delivery for delivery, _ in batch])
        except SQLAlchemyError as error:
            log.error("deliveries could not be stored: %s", described(error))
            self._answer([(future, error) for _, future in batch])
            return
        self._answer([(future, delivery.id in added) for delivery, future in batch])
        if added:
            self._stored.put([delivery.id for delivery, _ in batch if delivery.id in added])

    def _answer(self, answers: "list[tuple[asyncio.Future[bool], bool | Exception]]") -> None:
        def resolve() -> None:
            for future, answer in answers:
                if future.cancelled():
                    continue
                if isinstance(answer, Exception):
                    future.set_exception(answer)
                else:
                    future.set_result(answer)

        if self._loop is not None:
            self._loop.call_soon_threadsafe(resolve)

    def _wake_workers(self) -> None:
        while True:
            ids = self._stored.get()
            if ids is None:
                return
            try:
                self._wake(ids)
            except Exception as error:
                log.warning(
                    "the broker could not be reached, and the reaper sends the wake-up: %s", described(error)
                )
