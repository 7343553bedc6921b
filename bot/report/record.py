"""A run's work order in the text of its pull request, for bots that keep nothing from one run to the next.

It lies in an HTML comment, compressed. Whoever can edit the text of a pull request has write access, and
could ask for a run as well.
"""

import base64
import re
import zlib

from pydantic import ValidationError

from bot.log.earlier import earlier_run
from bot.log.state import RunState
from gherkin.values import Frozen
from runners.contract.workorder import EarlierRun, WorkOrder

_COMMENT = re.compile(r"<!-- scenarist:record:([A-Za-z0-9+/=]+) -->")
# A pull request's text has at least 65,536 characters, and people read the rest of it.
_MAX_RECORD = 20_000
_MAX_TEXT = 2_000_000  # bytes


class Record(Frozen):
    """The order that a pull request was last changed for, and the account of that run."""

    order: WorkOrder
    run: EarlierRun


def record_comment(run_id: str, state: RunState) -> str:
    """Return the comment that holds the record of a run which is about to be published.

    Empty where it would take too much room, even without the runs before.
    """
    if state.requested is None:
        raise ValueError("a run's log begins with RunRequested")
    run = earlier_run(run_id, state, (), "").model_copy(update={"published": True})
    order = state.requested.order
    for kept in (order, order.model_copy(update={"earlier": ()})):
        text = Record(order=kept, run=run).model_dump_json(exclude_defaults=True)
        packed = base64.b64encode(zlib.compress(text.encode(), 9)).decode()
        if len(packed) <= _MAX_RECORD:
            return f"<!-- scenarist:record:{packed} -->"
    return ""


def read_record(body: str) -> Record | None:
    """Return the record in the text of a pull request; None where there is none that can be read."""
    found = _COMMENT.search(body)
    if found is None:
        return None
    try:
        unpack = zlib.decompressobj()
        text = unpack.decompress(base64.b64decode(found[1], validate=True), _MAX_TEXT)
        return Record.model_validate_json(text)
    except (ValueError, zlib.error, ValidationError):
        return None


def with_record(order: WorkOrder, body: str) -> WorkOrder:
    """Return the order of a revision with the issue, and what runs before it did, as `body` has it."""
    record = read_record(body)
    if record is None:
        return order
    return order.model_copy(
        update={
            "body": record.order.body,
            "comments": record.order.comments,
            "labels": record.order.labels,
            "earlier": (*record.order.earlier, record.run),
        }
    )
