"""Reviews that follow each other at once become one revision, and none of their remarks is lost."""

import pytest

from bot.intake.together import joined
from bot.log.events import Phase, RunRequested
from bot.storage.store import Store
from runners.contract.workorder import OrderComment, OrderThread, WorkOrder

TARGET = "local:octo/calc:pull:3"


def thread(number: int, text: str = "Why?") -> OrderThread:
    return OrderThread(id=number, path="a.py", line=1, comments=(OrderComment(author="wim", body=text),))


def review(key: str, body: str, *threads: OrderThread, rebase: bool = False) -> RunRequested:
    order = WorkOrder(
        kind="revise",
        number=1,
        title="T",
        body="",
        requested_by=key,
        requested_at="",
        pull=3,
        review_body=body,
        threads=threads,
        rebase=rebase,
    )
    return RunRequested(forge="local", repo="octo/calc", order=order, order_sha256=order.digest, key=key)


def begun(sqlite_store: Store, request: RunRequested, phase: Phase = "prepare") -> str:
    run = sqlite_store.request_run(request, target=TARGET, exclusive=False)
    assert run is not None
    if phase != "prepare":
        claim = sqlite_store.claim(run, ["prepare"], 60)
        assert claim is not None
        sqlite_store.finish_phase(claim, [], {}, phase=phase)
    return run


@pytest.mark.parametrize("phase", ["prepare", "specify"])
def test_a_revision_that_has_not_begun_to_work_is_taken_in(sqlite_store: Store, phase: Phase) -> None:
    first = begun(sqlite_store, review("wim", "Shorter.", thread(5), thread(7, "old")), phase)
    request, other = joined(review("ada", "Faster.", thread(7, "new"), thread(6)), TARGET, sqlite_store)
    assert other == first
    assert [each.id for each in request.order.threads] == [5, 6, 7]
    assert request.order.threads[2].comments[0].body == "new"
    assert (request.order.review_body, request.order.requested_by) == ("Shorter.\n\nFaster.", "ada")
    assert request.order_sha256 == request.order.digest and request.key == "ada"


def test_one_that_works_already_goes_on_alone(sqlite_store: Store) -> None:
    begun(sqlite_store, review("wim", "Shorter."), "implement")
    request = review("ada", "Faster.")
    assert joined(request, TARGET, sqlite_store) == (request, "")


def test_only_reviews_are_joined(sqlite_store: Store) -> None:
    begun(sqlite_store, review("wim", "", rebase=True))
    request = review("ada", "Faster.")
    assert joined(request, TARGET, sqlite_store) == (request, "")
    again = review("eve", "", rebase=True)
    begun(sqlite_store, request)
    assert joined(again, TARGET, sqlite_store) == (again, "")


def test_the_same_review_is_not_joined_with_itself(sqlite_store: Store) -> None:
    begun(sqlite_store, review("wim", "Shorter."))
    request = review("wim", "Shorter.")
    assert joined(request, TARGET, sqlite_store) == (request, "")
