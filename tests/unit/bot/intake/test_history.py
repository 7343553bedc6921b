"""What earlier runs left in their logs goes into the next work order, as it stood then."""

from collections.abc import Sequence

from bot.behaviours.target import target_of
from bot.intake.history import with_history
from bot.log.events import Controlled, Event, PhaseFinished, RunRequested
from bot.storage.store import Store
from runners.contract.events import Instructed, VerdictReached
from runners.contract.job import FEATURE
from runners.contract.workorder import OrderComment, WorkOrder
from tests.support.logs import COMMITTED, IMPLEMENTING, ORDER, PUBLISHED, RED, REQUESTED, SPEC

REVISE = WorkOrder(
    kind="revise",
    number=ORDER.number,
    title="T",
    body="",
    requested_by="wim",
    requested_at="2026-11-28T10:00:00Z",
    pull=13,
    review_body="Nearly.",
)


def asked(order: WorkOrder, key: str) -> RunRequested:
    return REQUESTED.model_copy(update={"order": order, "order_sha256": order.digest, "key": key})


def run(
    sqlite_store: Store, order: WorkOrder, events: Sequence[Event], status: str, feature: bytes = b""
) -> str:
    """A run that has ended; `events` are its log behind the request."""
    kind, number = ("pull", order.pull) if order.pull else ("issue", order.number)
    target = target_of("github", REQUESTED.repo, kind, number)
    run_id = sqlite_store.request_run(asked(order, str(len(events)) + status), target=target, exclusive=False)
    assert run_id is not None
    claim = sqlite_store.claim(run_id, ["prepare"], 60)
    assert claim is not None
    blobs = {FEATURE: feature} if feature else {}
    sqlite_store.finish_phase(claim, events, blobs, phase="prepare", status=status)
    return run_id


def test_a_revision_gets_the_issue_as_the_first_run_got_it(sqlite_store: Store) -> None:
    first = ORDER.model_copy(update={"comments": (OrderComment(author="ada", body="Vouchers too."),)})
    run(sqlite_store, ORDER, [PhaseFinished(phase="prepare", outcome="gave_up", reason="x")], "gave_up")
    made = run(sqlite_store, first, PUBLISHED[1:], "done")
    order = with_history(asked(REVISE, "r"), sqlite_store).order
    assert (order.body, order.comments) == (first.body, first.comments)
    assert order.review_body == "Nearly." and order.title == "T"
    (earlier,) = order.earlier
    assert (earlier.id, earlier.published, earlier.source) == (made, True, "model")
    assert earlier.summary == COMMITTED.summary
    request = with_history(asked(REVISE, "r"), sqlite_store)
    assert request.order_sha256 == request.order.digest != REVISE.digest


def test_a_pull_request_that_no_run_here_has_made_brings_nothing(sqlite_store: Store) -> None:
    run(sqlite_store, ORDER, PUBLISHED[1:], "done")
    other = REVISE.model_copy(update={"pull": 99})
    assert with_history(asked(other, "r"), sqlite_store).order == other


def test_an_answer_comes_with_its_question_and_what_was_found(sqlite_store: Store) -> None:
    question = "Does a voucher count before the limit?"
    log: list[Event] = [
        *IMPLEMENTING[1:],
        SPEC,
        PhaseFinished(phase="specify", outcome="approval"),
        Controlled(control="pause", by=""),
        Controlled(control="resume", by="ada"),
        Instructed(comment=7, by="wim", text="Use euros."),
        VerdictReached(verdict=RED),
        PhaseFinished(phase="implement", outcome="needs_info", reason=question),
    ]
    from bot.log.events import RunEnded

    run(sqlite_store, ORDER, [*log, RunEnded(status="needs_info")], "needs_info", b"Feature: Delivery\n")
    answer = ORDER.model_copy(update={"answers": True})
    (earlier,) = with_history(asked(answer, "a"), sqlite_store).order.earlier
    assert (earlier.question, earlier.approved_by, earlier.scenarios) == (
        question,
        "ada",
        "Feature: Delivery\n",
    )
    assert [each.body for each in earlier.told] == ["Use euros."]
    assert "does not pass" in earlier.found[0]


def test_only_the_newest_runs_are_told_of(sqlite_store: Store) -> None:
    for number in range(7):
        ended = PhaseFinished(phase="prepare", outcome="gave_up", reason=f"reason {number}")
        run(sqlite_store, ORDER, [ended] * (number + 1), "gave_up")
    earlier = with_history(asked(ORDER, "a"), sqlite_store).order.earlier
    assert len(earlier) == 5
