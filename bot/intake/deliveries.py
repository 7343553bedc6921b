"""The durable inbox: deliveries as they were received, until they are handled."""

import hashlib
import time
import zlib
from collections.abc import Callable, Sequence

import sqlalchemy as sa

from bot.storage.database import add_row, passed, reading
from bot.storage.tables import deliveries
from gherkin.values import Frozen


class Delivery(Frozen):
    """A webhook delivery as it was received; `body` is the raw request body."""

    id: str
    forge: str
    guid: str
    event: str
    body: bytes
    attempts: int = 0


class Deliveries:
    """The deliveries in the database. `clock` gives seconds since the epoch."""

    def __init__(self, engine: sa.Engine, clock: Callable[[], float] = time.time) -> None:
        self.engine = engine
        self.clock = clock

    def add(self, incoming: Sequence[Delivery]) -> set[str]:
        """Store deliveries in one transaction; returns the ids of those that were not known yet."""
        now = self.clock()
        rows = [
            {
                "id": delivery.id,
                "forge": delivery.forge,
                "guid": delivery.guid,
                "event": delivery.event,
                "body_sha256": hashlib.sha256(delivery.body).hexdigest(),
                "body": zlib.compress(delivery.body, 1),
                "received_at": now,
                "state": "stored",
                "outcome": "",
                "attempts": 0,
                "due_at": now,
            }
            for delivery in incoming
        ]
        added: set[str] = set()
        with self.engine.begin() as db:
            for row in rows:
                if add_row(db, deliveries, row):
                    added.add(str(row["id"]))
        return added

    def get(self, delivery_id: str) -> Delivery | None:
        """Return the delivery, if it is still to be handled."""
        columns = deliveries.c
        query = sa.select(deliveries).where(columns.id == delivery_id, columns.state == "stored")
        with reading(self.engine) as db:
            row = db.execute(query).one_or_none()
        if row is None:
            return None
        return Delivery(
            id=row.id,
            forge=row.forge,
            guid=row.guid,
            event=row.event,
            body=zlib.decompress(row.body),
            attempts=row.attempts,
        )

    def close(self, delivery_id: str, outcome: str) -> None:
        """Note what became of a delivery; its body is not kept."""
        with self.engine.begin() as db:
            db.execute(
                sa.update(deliveries)
                .where(deliveries.c.id == delivery_id)
                .values(state="handled", outcome=outcome, body=b"")
            )

    def delay(self, delivery_id: str, reason: str, seconds: float) -> None:
        """Let a delivery be tried again after `seconds`."""
        with self.engine.begin() as db:
            db.execute(
                sa.update(deliveries)
                .where(deliveries.c.id == delivery_id)
                .values(attempts=deliveries.c.attempts + 1, outcome=reason, due_at=self.clock() + seconds)
            )

    def due(self, older_than: float, limit: int = 500) -> list[str]:
        """Ids of deliveries that should have been handled `older_than` seconds ago."""
        columns = deliveries.c
        query = (
            sa.select(columns.id)
            .where(columns.state == "stored", passed(columns.due_at, self.clock() - older_than))
            .order_by(columns.due_at)
            .limit(limit)
        )
        with reading(self.engine) as db:
            return list(db.execute(query).scalars())
