"""The work order that a pull request carries for bots that keep nothing from job to job."""

import base64
import zlib

import pytest

from bot.log.state import fold
from bot.report.record import read_record, record_comment, with_record
from bot.report.reporter import Reporter
from runners.contract.workorder import OrderComment, WorkOrder
from tests.support import logs

RUN = "01J00000000000000000000000"
STATE = fold(logs.entries(logs.VERIFIED))
REVISION = WorkOrder(
    kind="revise",
    number=12,
    title="T",
    body="",
    requested_by="wim",
    requested_at="2026-11-28T10:00:00Z",
    pull=13,
    review_body="Nearly.",
)


def test_a_revision_gets_the_issue_and_the_first_run_from_the_pull_request() -> None:
    body = Reporter(comments=False).pull_text(RUN, STATE)[1]
    order = with_record(REVISION, body)
    assert STATE.requested is not None
    assert (order.body, order.comments) == (STATE.requested.order.body, STATE.requested.order.comments)
    assert order.review_body == "Nearly."
    (run,) = order.earlier
    assert (run.id, run.published, run.summary) == (RUN, True, logs.COMMITTED.summary)


def test_a_bot_with_a_database_puts_nothing_there() -> None:
    assert "scenarist:record" not in Reporter().pull_text(RUN, STATE)[1]


def test_a_record_that_would_take_too_much_room_is_left_out() -> None:
    assert STATE.requested is not None
    text = "".join(chr(33 + (number * number * 7919) % 90) for number in range(200_000))
    comments = tuple(OrderComment(author="ada", body=text[at::7]) for at in range(7))
    order = STATE.requested.order.model_copy(update={"comments": comments})
    large = STATE.model_copy(update={"requested": STATE.requested.model_copy(update={"order": order})})
    assert len(record_comment(RUN, large)) <= 21_000
    assert read_record(record_comment(RUN, STATE)) is not None


@pytest.mark.parametrize(
    "packed",
    [
        b"not compressed",
        zlib.compress(b"{}"),
        zlib.compress(b"no JSON"),
        zlib.compress(b" " * 50_000_000, 9)[:40_000],
    ],
)
def test_what_cannot_be_read_changes_nothing(packed: bytes) -> None:
    body = f"<!-- scenarist:record:{base64.b64encode(packed).decode()} -->"
    assert with_record(REVISION, body) == REVISION
    assert with_record(REVISION, "<!-- scenarist:record:a=b -->") == REVISION
    assert with_record(REVISION, "No record") == REVISION
