"""The store's promises, on SQLite and PostgreSQL alike."""

import threading
from typing import Literal

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from bot.intake.deliveries import Deliveries, Delivery
from bot.log.events import Controlled, PhaseFinished, PhaseStarted, RunEnded, RunRequested, StatusPosted
from bot.log.state import fold
from bot.runs.workflow import QUEUES
from bot.storage.database import connect, migrate
from bot.storage.leases import LeaseLost, RunClaim
from bot.storage.listing import RunFilter, find_runs
from bot.storage.run_log import ArtifactTooLarge
from bot.storage.store import Store, new_id
from bot.storage.tables import metadata
from tests.support.stores import Clock, claim, request, start


@pytest.fixture
def inbox(store: Store, clock: Clock) -> Deliveries:
    return Deliveries(store.engine, clock)


def delivery(body: bytes = b"{}", guid: str = "g") -> Delivery:
    return Delivery(id=new_id(), forge="github", guid=guid, event="issues", body=body)


def test_a_delivery_is_new_once(inbox: Deliveries) -> None:
    first, second, other = delivery(), delivery(), delivery(b'{"a":1}')
    assert inbox.add([first]) == {first.id}
    assert inbox.add([second]) == set()
    assert inbox.add([other]) == {other.id}, "the same GUID with another body is another delivery"


def test_a_delivery_is_kept_until_it_is_closed(inbox: Deliveries, clock: Clock) -> None:
    made = delivery(b'{"x":"\xc3\xbc"}')
    inbox.add([made])
    assert inbox.get(made.id) == made
    clock.now += 10
    assert inbox.due(5) == [made.id]
    inbox.delay(made.id, "later", 60)
    assert inbox.due(5) == []
    clock.now += 100
    assert inbox.due(5) == [made.id]
    inbox.close(made.id, "ignored")
    assert inbox.get(made.id) is None
    assert inbox.due(5) == []


def test_a_request_is_granted_once(store: Store) -> None:
    run_id = start(store, "same")
    assert run_id is not None
    assert start(store, "same") is None
    assert [type(entry.event) for entry in store.entries(run_id)] == [RunRequested]


def test_an_exclusive_target_has_one_active_run(store: Store) -> None:
    run_id = start(store, "a", exclusive=True)
    assert run_id is not None
    assert start(store, "b", exclusive=True) is None
    held = claim(store, run_id)
    store.finish_phase(held, [RunEnded(status="done")], {}, phase="conclude", status="done")
    assert start(store, "c", exclusive=True) is not None


@pytest.mark.parametrize(("status", "is_over"), [("needs_info", True), ("gave_up", True), ("done", False)])
def test_a_run_without_a_result_knows_the_one_after_it(
    store: Store, status: Literal["needs_info", "gave_up", "done"], is_over: bool
) -> None:
    first = start(store, "a")
    assert first is not None
    store.finish_phase(claim(store, first), [RunEnded(status=status)], {}, phase="conclude", status=status)
    elsewhere, second = start(store, "b", "elsewhere"), start(store, "c")
    assert elsewhere is not None and second is not None
    state = fold(store.entries(first))
    assert (state.status, state.superseded_by) == (status, second if is_over else "")
    lines = {each.id: each.standing for each in find_runs(store.engine, RunFilter(), None, 0)}
    assert lines[first] == "ended"


def test_a_question_waits_until_a_newer_run_has_begun(store: Store) -> None:
    first = start(store, "a")
    assert first is not None
    ended = RunEnded(status="needs_info")
    store.finish_phase(claim(store, first), [ended], {}, phase="conclude", status="needs_info")
    (line,) = find_runs(store.engine, RunFilter(), None, 0)
    assert line.standing == "answer"
    assert store.control(first, Controlled(control="retry", by="ada", phase="specify"))
    assert fold(store.entries(first)).superseded_by == ""


def test_requesting_a_run_closes_its_delivery(store: Store, inbox: Deliveries) -> None:
    made = delivery()
    inbox.add([made])
    store.request_run(request("k"), target="t", exclusive=False, delivery_id=made.id)
    assert inbox.get(made.id) is None


def test_a_run_is_claimed_by_one_worker(store: Store) -> None:
    run_id = start(store)
    assert run_id is not None
    found: list[RunClaim | None] = []
    gate = threading.Barrier(8)

    def work() -> None:
        gate.wait()
        found.append(store.claim(run_id, ["prepare"], 30))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert sum(each is not None for each in found) == 1


def test_an_old_lease_is_taken_over_and_its_holder_can_write_nothing(store: Store, clock: Clock) -> None:
    run_id = start(store)
    assert run_id is not None
    first = claim(store, run_id, 30)
    assert store.claim(run_id, ["prepare"], 30) is None
    clock.now += 31
    second = claim(store, run_id)
    with pytest.raises(LeaseLost):
        store.log(first, [PhaseStarted(phase="prepare", worker="a")], {"x": b"1"})
    with pytest.raises(LeaseLost):
        store.extend(first, 30)
    with pytest.raises(LeaseLost):
        store.finish_phase(first, [], {}, phase="specify")
    store.log(second, [PhaseStarted(phase="prepare", worker="b")], {"x": b"2"})
    assert [entry.seq for entry in store.entries(run_id)] == [1, 2]
    assert store.artifact(run_id, "x") == b"2"


def test_a_phase_ends_in_one_transaction(store: Store) -> None:
    run_id = start(store)
    assert run_id is not None
    held = claim(store, run_id)
    ended = PhaseFinished(phase="prepare", outcome="done")
    with pytest.raises(ArtifactTooLarge):
        store.finish_phase(held, [ended], {"x": b"0" * 100_000_001}, phase="specify")
    assert len(store.entries(run_id)) == 1
    store.finish_phase(held, [ended], {"x": b"1"}, phase="specify")
    assert store.claim(run_id, ["prepare"], 30) is None
    assert store.claim(run_id, ["specify"], 30) is not None


def test_a_later_run_waits_for_the_earlier_one_on_its_target(store: Store) -> None:
    first, second, other = start(store, "a"), start(store, "b"), start(store, "c", "elsewhere")
    assert first and second and other
    assert store.claim(second, ["prepare"], 30) is None
    assert store.claim(other, ["prepare"], 30) is not None
    held = claim(store, first)
    store.finish_phase(held, [], {}, phase="conclude", status="done")
    assert store.claim(second, ["prepare"], 30) is not None


@pytest.mark.parametrize("back", [5000, 86_400 * 365])
def test_a_clock_that_is_set_back_keeps_nothing_waiting(
    store: Store, inbox: Deliveries, clock: Clock, back: float
) -> None:
    delayed, held = start(store, "a", target="a"), start(store, "b", target="b")
    assert delayed is not None and held is not None
    store.finish_phase(claim(store, delayed), [], {}, phase="prepare", delay=300)
    before = claim(store, held)
    assert store.reports.begin(held, 60) is not None
    waiting = delivery()
    inbox.add([waiting])
    inbox.delay(waiting.id, "later", 600)
    clock.now -= back
    assert {run for run, _ in store.due_runs(2, QUEUES, 9)} == {delayed, held}
    assert store.claim(delayed, ["prepare"], 30) is not None
    assert store.claim(held, ["prepare"], 30) is not None
    with pytest.raises(LeaseLost):
        store.log(before, [PhaseStarted(phase="prepare", worker="a")])
    assert held in store.reports.stale() and store.reports.begin(held, 60) is not None
    assert inbox.due(2) == [waiting.id]


def test_a_delayed_run_is_due_later(store: Store, clock: Clock) -> None:
    run_id = start(store)
    assert run_id is not None
    store.finish_phase(claim(store, run_id), [], {}, phase="prepare", delay=20)
    assert store.claim(run_id, ["prepare"], 30) is None
    assert store.due_runs(0, QUEUES, 9) == []
    clock.now += 21
    assert store.due_runs(0, QUEUES, 9) == [(run_id, "prepare")]
    assert store.claim(run_id, ["prepare"], 30) is not None
    assert store.due_runs(0, QUEUES, 9) == [], "a held run is nobody else's business"


def test_status_reports_are_made_by_one_and_never_forgotten(store: Store) -> None:
    run_id = start(store)
    assert run_id is not None
    fence = store.reports.begin(run_id, 60)
    assert fence is not None and store.reports.begin(run_id, 60) is None
    assert store.reports.end(run_id, fence, store.seq(run_id))
    assert store.reports.stale() == []
    store.note(run_id, PhaseStarted(phase="prepare", worker="a"))
    assert store.reports.stale() == [run_id]


def test_the_state_is_the_fold_of_the_log_also_in_pieces(store: Store) -> None:
    run_id = start(store)
    assert run_id is not None
    for phase in ("prepare", "specify"):
        store.note(run_id, PhaseStarted(phase=phase, worker="a"))
        store.note(run_id, PhaseFinished(phase=phase, outcome="done"))
    entries = store.entries(run_id)
    whole = fold(entries)
    assert whole.phase == "specify" and len(whole.finished) == 2 and whole.seq == 5
    assert fold(entries[3:], fold(entries[:3])) == whole
    assert store.entries(run_id, after=3) == entries[3:]


def test_who_lost_the_right_to_report_changes_nothing(store: Store, clock: Clock) -> None:
    run_id = start(store)
    assert run_id is not None
    slow = store.reports.begin(run_id, 60)
    assert slow is not None and store.reports.extend(run_id, slow, 60)
    clock.now += 61
    quick = store.reports.begin(run_id, 60)
    assert quick is not None
    assert not store.reports.extend(run_id, slow, 60)
    assert not store.reports.end(run_id, slow, 1, [StatusPosted(comment=7)])
    assert store.reports.begin(run_id, 60) is None, "the other one still has it"
    assert store.reports.end(run_id, quick, 1, [StatusPosted(comment=8)])
    assert fold(store.entries(run_id)).status_comment == 8


def test_a_paused_run_keeps_the_next_one_on_its_target_away(store: Store) -> None:
    first = start(store, "a", exclusive=True)
    assert first is not None
    assert store.control(first, Controlled(control="pause", by="ada"))
    assert start(store, "b", exclusive=True) is None
    assert store.control(first, Controlled(control="resume", by="ada"))


def test_a_cancelled_run_does_not_keep_the_next_one_away(store: Store) -> None:
    first = start(store, "a", exclusive=True)
    assert first is not None
    assert store.control(first, Controlled(control="cancel", by="ada"))
    second = start(store, "b", exclusive=True)
    assert second is not None
    assert store.claim(second, ["prepare"], 30) is None, "the first is concluded before"
    held = store.claim(first, ["conclude"], 30)
    assert held is not None
    store.finish_phase(held, [RunEnded(status="cancelled")], {}, phase="conclude", status="cancelled")
    assert store.claim(second, ["prepare"], 30) is not None
    again = Controlled(control="retry", by="ada", phase="prepare")
    assert not store.control(first, again), "the second one has taken its place"


def test_a_run_that_becomes_active_again_goes_behind_those_that_are(store: Store) -> None:
    first, second = start(store, "a"), start(store, "b")
    assert first and second
    assert store.control(first, Controlled(control="pause", by="ada"))
    held = claim(store, second)
    assert store.control(first, Controlled(control="resume", by="ada"))
    assert store.claim(first, ["prepare"], 30) is None
    store.finish_phase(held, [], {}, phase="specify")
    assert store.claim(first, ["prepare"], 30) is None, "the other one is between two phases"
    assert [run for run, _ in store.waiting_runs(first)] == [second, first]
    held = store.claim(second, ["specify"], 30) or held
    store.finish_phase(held, [], {}, phase="conclude", status="done")
    assert store.claim(first, ["prepare"], 30) is not None


def test_two_open_runs_of_before_are_parted_by_the_migration(database_url: str) -> None:
    engine = connect(database_url)
    migrate(engine, "0001")
    with engine.begin() as db:
        for run_id, status in (("1", "paused"), ("2", "active"), ("3", "done"), ("4", "paused")):
            row = {"id": run_id, "request_key": run_id, "target": "t", "exclusive": "t", "status": status}
            rest = {"forge": "local", "repo": "o/r", "phase": "prepare", "created_at": 0.0, "due_at": 0.0}
            numbers = dict.fromkeys(("seq", "fence", "attempts", "reported_seq"), 0)
            columns = {**row, **rest, **numbers}
            names = ", ".join(columns)
            values = ", ".join(f":{name}" for name in columns)
            db.execute(sa.text(f"INSERT INTO runs ({names}) VALUES ({values})"), columns)  # noqa: S608
    migrate(engine)
    with engine.begin() as db:
        found = db.execute(sa.text("SELECT id FROM runs WHERE exclusive IS NOT NULL ORDER BY id")).scalars()
        assert list(found) == ["2", "3"]
        # Nothing is left to migrate: the tables in the code are those of the database.
        assert compare_metadata(MigrationContext.configure(db), metadata) == []
        present = sa.inspect(db).get_indexes("runs")
    assert any(index["name"] == "uq_runs_exclusive" for index in present)
    engine.dispose()
