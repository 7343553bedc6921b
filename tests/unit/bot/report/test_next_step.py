"""The next step in the status comment fits what the run works on: an issue with a label, or a pull request."""

import pytest

from bot.log.events import Event
from bot.log.state import fold
from bot.phases.branches import NoFreeBranch
from bot.phases.trusted import BranchMoved
from bot.report.reporter import Reporter
from runners.contract.workorder import WorkOrder
from tests.support import logs

RUN = "01J00000000000000000000000"
REVISION = WorkOrder(
    kind="revise",
    number=12,
    title="T",
    body="",
    requested_by="wim",
    requested_at="2026-11-28T10:00:00Z",
    pull=13,
)


def _status(kind: str, outcome: str, code: str, reason: str) -> str:
    order = REVISION if kind == "revise" else logs.REQUESTED.order
    requested = logs.REQUESTED.model_copy(update={"order": order})
    before: list[Event] = [requested, *logs.PREPARING[1:]]
    return Reporter().status_text(
        RUN, fold(logs.entries(logs.ended(before, "prepare", outcome, reason, code)))
    )


@pytest.mark.parametrize("outcome", ["failed", "cancelled"])
def test_a_revision_is_not_told_to_set_a_label(outcome: str) -> None:
    reason = "The disk is full." if outcome == "failed" else "wim cancelled it."
    assert "new review" in _status("revise", outcome, NoFreeBranch.code, reason)
    assert "et the label" not in _status("revise", outcome, NoFreeBranch.code, reason)
    assert "et the label" in _status("implement", outcome, NoFreeBranch.code, reason)


def test_a_branch_that_moved_is_not_to_be_pushed_once_more() -> None:
    text = _status("revise", "failed", BranchMoved.code, "Branch agent/12-x is at abc.")
    assert "/agent revise" in text and "/agent retry" not in text
    other = _status("revise", "failed", "SCN-1001", "The forge answered 502.")
    assert "/agent retry prepare" in other
