"""Stored runs with the logs of `logs.py` and with the demo's recording."""

from collections.abc import Sequence
from pathlib import Path

import sqlalchemy as sa

import bot.demo
from bot.log.events import Entry, Event, RunEnded, RunRequested
from bot.storage.run_log import put
from bot.storage.store import Store
from bot.storage.tables import runs
from runners.contract.events import VerdictReached
from runners.contract.job import log_name

_RECORDING = Path(bot.demo.__file__).with_name("recording.jsonl")
FEATURE_TEXT = """\
Feature: Receipt at checkout

  Scenario: Delivery is charged below 50 euros
    Given a cart with "Emma" for 49.99 euros
    When I check out
    Then delivery costs 4.90 euros

  Scenario: Delivery is free from 50 euros on
    Given a cart with "Emma" for 50.00 euros
    When I check out
    Then delivery costs 0.00 euros
"""
DIFF_TEXT = """\
diff --git a/shop/checkout.py b/shop/checkout.py
index 1111111..2222222 100644
--- a/shop/checkout.py
+++ b/shop/checkout.py
@@ -25,3 +25,3 @@
     goods = cart.total()
-    free = goods > FREE_FROM
+    free = goods >= FREE_FROM
     return Receipt(goods, free)
"""


def recorded() -> list[Event]:
    """Return the log of the demo's run."""
    return [Entry.model_validate_json(line).event for line in _RECORDING.read_text().splitlines()]


def stored_run(
    store: Store, events: Sequence[Event], *, key: str, repo: str = "", feature: str = "", diff: str = ""
) -> str:
    """Store a run with the log `events`; returns its id. The run's row has the values that listings show."""
    requested, *others = events
    assert isinstance(requested, RunRequested)
    update = {"key": key, **({"repo": repo} if repo else {})}
    run_id = store.request_run(requested.model_copy(update=update), target=key, exclusive=False)
    assert run_id is not None
    for event in others:
        append(store, run_id, event)
    with store.engine.begin() as db:
        put(db, run_id, {"feature": feature.encode(), "diff": diff.encode(), **_outputs(events)})
    return run_id


def _outputs(log: Sequence[Event]) -> dict[str, bytes]:
    """Return something as the output of each command of the verdicts in a log."""
    return {
        log_name(each.log_sha256): f"What it printed:\n{each.command}\n".encode()
        for event in log
        if isinstance(event, VerdictReached)
        for each in event.verdict.evidence
    }


def append(store: Store, run_id: str, event: Event) -> None:
    """Append an event to a run's log, and set the row's status if the event ends the run."""
    store.note(run_id, event)
    if isinstance(event, RunEnded):
        with store.engine.begin() as db:
            db.execute(sa.update(runs).where(runs.c.id == run_id).values(status=event.status))
