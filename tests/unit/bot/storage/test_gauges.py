"""What is measured in the tables, on both databases: waiting and working runs, and workers that hang."""

from bot.log.events import Controlled, PhaseStarted
from bot.storage.gauges import measure, silent_runs
from bot.storage.store import Store
from tests.support.stores import Clock, claim, start


def test_open_runs_are_counted_by_what_they_do(store: Store) -> None:
    store.clock = clock = Clock()
    empty = measure(store.engine, clock.now)
    assert (dict(empty.open_runs), dict(empty.oldest_due), empty.expired) == ({}, {}, 0)
    queued, working, delayed, paused = (start(store, name, target=name) or "" for name in "abcd")
    claim(store, working)
    store.put_off(claim(store, delayed), 300)
    store.control(paused, Controlled(control="pause", by="ada"))
    clock.now += 20
    found = measure(store.engine, clock.now)
    assert found.open_runs == dict.fromkeys(
        [("prepare", "queued"), ("prepare", "working"), ("prepare", "delayed"), ("prepare", "paused")], 1
    )
    assert found.oldest_due == {"prepare": 20.0}
    assert found.behind == 4, "no status comment was written"
    store.control(queued, Controlled(control="pause", by="ada"))
    assert measure(store.engine, clock.now).oldest_due == {}


def test_a_run_that_waits_for_another_on_its_target_is_not_overdue(store: Store) -> None:
    store.clock = clock = Clock()
    first, second = start(store, "one"), start(store, "two")
    assert first is not None and second is not None
    claim(store, first)
    clock.now += 20
    found = measure(store.engine, clock.now)
    assert found.open_runs == {("prepare", "working"): 1, ("prepare", "queued"): 1}
    assert found.oldest_due == {}


def test_a_lease_that_ran_out_is_seen(store: Store) -> None:
    store.clock = clock = Clock()
    run_id = start(store, "one") or ""
    claim(store, run_id, seconds=30)
    clock.now += 31
    found = measure(store.engine, clock.now)
    assert found.expired == 1 and found.oldest_due == {"prepare": 31.0}


def test_a_worker_that_lives_and_logs_nothing_loses_its_run(store: Store) -> None:
    store.clock = clock = Clock()
    quiet, busy = start(store, "quiet", target="a") or "", start(store, "busy", target="b") or ""
    held = {run_id: claim(store, run_id) for run_id in (quiet, busy)}
    clock.now += 1000
    for each in held.values():
        store.extend(each, 30)
    store.log(held[busy], [PhaseStarted(phase="prepare", worker="w")])
    (found,) = silent_runs(store.engine, clock.now, 900)
    assert (found.id, found.phase, found.seconds) == (quiet, "prepare", 1000.0)
    assert silent_runs(store.engine, clock.now, 1001) == []
    assert store.take_away(quiet, found.fence)
    assert not store.take_away(quiet, found.fence), "it was taken away already"
    assert not store.is_current(held[quiet]) and store.is_current(held[busy])
    assert claim(store, quiet).attempts == 2, "the attempt counts, so that a phase that hangs ends some day"
