"""Which runs are launched elsewhere, and which launch may still work on its run."""

from bot.log.events import RUNNER_PHASES, Controlled
from bot.runs.workflow import QUEUES
from bot.storage.launches import Launch
from bot.storage.store import Store
from runners.contract.operator_limits import Allowance, Allowances
from tests.support.launches import prepared
from tests.support.stores import Clock, start


def test_the_phases_that_run_repository_code_are_those_of_the_runs_queue() -> None:
    assert {phase for phase, queue in QUEUES.items() if queue == "runs"} == RUNNER_PHASES


def test_a_celery_worker_leaves_runs_of_other_places_alone(store: Store, clock: Clock) -> None:
    here, there = prepared(store, "here", "celery"), prepared(store, "there")
    clock.now += 10
    assert store.claim(there, ["specify"], 30, runner="celery") is None
    assert store.due_runs(1, ["specify"], 9, "celery") == [(here, "specify")]
    assert [run.launch.run_id for run in store.runs_to_launch("kubernetes", 9)] == [there]
    assert store.claim(here, ["specify"], 30, runner="celery") is not None
    assert store.claim(there, ["specify"], 30, runner="kubernetes") is not None


def test_a_run_before_its_preparation_needs_no_launch(store: Store, clock: Clock) -> None:
    run_id = start(store) or ""
    assert store.runs_to_launch("kubernetes", 9) == []
    assert store.claim(run_id, ["prepare"], 30, runner="celery") is not None


def test_only_the_launch_with_the_fence_of_its_run_claims_it(store: Store, clock: Clock) -> None:
    run_id = prepared(store)
    waiting = store.runs_to_launch("kubernetes", 9)[0].launch
    assert waiting.name == f"scenarist-run-{run_id.lower()}-1" and len(waiting.name) <= 63
    store.control(run_id, Controlled(control="pause", by="ada"))
    store.control(run_id, Controlled(control="resume", by="ada"))
    assert store.claim(run_id, ["specify"], 30, fence=waiting.fence) is None
    newer = store.runs_to_launch("kubernetes", 9)[0].launch
    assert newer.fence == 3
    held = store.claim(run_id, ["specify"], 30, fence=newer.fence)
    assert held is not None and held.fence == 4


def test_a_launch_is_current_until_somebody_else_has_the_run(store: Store, clock: Clock) -> None:
    run_id = prepared(store)
    launch = store.runs_to_launch("kubernetes", 9)[0].launch
    other = Launch(run_id=run_id, fence=launch.fence + 7)
    assert store.standing([launch, other]) == {launch: "waiting"}
    held = store.claim(run_id, ["specify"], 30, launch.name, fence=launch.fence)
    assert held is not None and store.standing([launch]) == {launch: "working"}
    assert store.runs_to_launch("kubernetes", 9) == []
    clock.now += 31
    assert store.standing([launch]) == {launch: "silent"}
    assert [run.launch.fence for run in store.runs_to_launch("kubernetes", 9)] == [held.fence]
    store.extend(held, 30)
    store.finish_phase(held, [], {}, phase="implement")
    assert store.standing([launch]) == {launch: "between"}
    store.control(run_id, Controlled(control="cancel", by="ada"))
    assert store.standing([launch]) == {}


def test_a_run_that_was_taken_away_has_no_current_launch(store: Store, clock: Clock) -> None:
    run_id = prepared(store)
    launch = store.runs_to_launch("kubernetes", 9)[0].launch
    held = store.claim(run_id, ["specify"], 30, launch.name, fence=launch.fence)
    assert held is not None and store.take_away(run_id, held.fence)
    assert store.standing([launch]) == {}
    assert store.runs_to_launch("kubernetes", 9)[0].launch.fence == held.fence + 1


def test_a_resumed_run_does_not_wait_for_its_old_launch(store: Store, clock: Clock) -> None:
    run_id = prepared(store)
    launch = store.runs_to_launch("kubernetes", 9)[0].launch
    assert store.claim(run_id, ["specify"], 30, launch.name, fence=launch.fence) is not None
    store.control(run_id, Controlled(control="pause", by="ada"))
    assert store.standing([launch]) == {} and store.runs_to_launch("kubernetes", 9) == []
    store.control(run_id, Controlled(control="resume", by="ada"))
    assert store.standing([launch]) == {}
    assert store.runs_to_launch("kubernetes", 9)[0].launch.fence == launch.fence + 3


def test_one_of_two_dispatchers_takes_a_failed_run(store: Store, clock: Clock) -> None:
    run_id = prepared(store)
    launch = store.runs_to_launch("kubernetes", 9)[0].launch
    held = store.claim(run_id, ["specify"], 30, launch.name, fence=launch.fence)
    assert held is not None
    mine = store.take_from(launch, 30, "dispatcher one")
    assert mine is not None and mine.fence == held.fence + 1
    assert store.take_from(launch, 30, "dispatcher two") is None
    assert not store.is_current(held), "the pod can write nothing any more"


def test_no_more_runs_are_launched_than_the_operator_allows(store: Store, clock: Clock) -> None:
    first, second = prepared(store, "a"), prepared(store, "b")
    store.allowances = Allowances(total=Allowance(runs_at_once=1))
    assert len(store.runs_to_launch("kubernetes", 9)) == 2
    assert store.claim(first, ["specify"], 30) is not None
    assert store.runs_to_launch("kubernetes", 9) == []
    store.allowances = Allowances()
    assert [run.launch.run_id for run in store.runs_to_launch("kubernetes", 9)] == [second]
