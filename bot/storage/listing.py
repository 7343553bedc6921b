"""Queries of the pages: which runs there are, and how far their logs have come."""

from collections.abc import Sequence

import sqlalchemy as sa

from bot.storage.database import reading
from bot.storage.tables import runs


def last_entries(engine: sa.Engine, run_ids: Sequence[str]) -> dict[str, int]:
    """Run -> the number of its log's last entry, for those of `run_ids` that exist."""
    query = sa.select(runs.c.id, runs.c.seq).where(runs.c.id.in_(run_ids))
    with reading(engine) as db:
        return {row.id: row.seq for row in db.execute(query)}
