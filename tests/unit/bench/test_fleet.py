"""The simulation of fleets: its queues against closed forms, its numbers against what they stand for."""

import random
import re
from math import factorial, inf
from pathlib import Path

import pytest

from bench.fleet.arrivals import DAY_S, PATTERNS, arrivals
from bench.fleet.fleet import Fleet, limits, look, smallest
from bench.fleet.measured import RunTimes, Times, run_times, times_of
from bench.fleet.simulation import Alone, Job, Shared, simulate
from bot.demo import run as demo
from bot.log.events import Entry

_ARRIVALS = 60_000


def erlang_c(runners: int, load: float) -> float:
    """The chance that a job must wait in M/M/c (https://en.wikipedia.org/wiki/Erlang_(unit)#Erlang_C_formula)."""
    last = load**runners / factorial(runners) * runners / (runners - load)
    return last / (sum(load**k / factorial(k) for k in range(runners)) + last)


def poisson(rate: float, chance: random.Random) -> list[float]:
    now, found = 0.0, []
    for _ in range(_ARRIVALS):
        now += chance.expovariate(rate)
        found.append(now)
    return found


@pytest.mark.parametrize(("runners", "load"), [(1, 0.7), (5, 4.0), (20, 17.0)])
def test_waiting_follows_erlang_s_formula(runners: int, load: float) -> None:
    chance = random.Random(7)
    jobs = [Job(at, [Alone(chance.expovariate(1.0))]) for at in poisson(load, chance)]
    outcome = simulate(jobs, runners)
    waited = sum(job.waited for job in outcome.jobs) / len(jobs)
    assert waited == pytest.approx(erlang_c(runners, load) / (runners - load), rel=0.1)
    waiting = sum(job.waited > 0 for job in outcome.jobs) / len(jobs)
    assert waiting == pytest.approx(erlang_c(runners, load), rel=0.05)
    assert outcome.runner_s / outcome.end / runners == pytest.approx(load / runners, rel=0.03)


def test_a_shared_server_is_an_m_m_1_queue_with_processor_sharing() -> None:
    chance, load = random.Random(3), 0.7
    jobs = [Job(at, [Shared(chance.expovariate(1.0))]) for at in poisson(load, chance)]
    outcome = simulate(jobs, runners=10_000, capacity=1.0)
    took = sum(job.took for job in outcome.jobs) / len(jobs)
    assert took == pytest.approx(1 / (1 - load), rel=0.1)
    assert outcome.server_s == pytest.approx(sum(job.stages[0].work for job in jobs))


def test_stages_are_done_one_after_the_other_and_share_the_server() -> None:
    first = Job(0.0, [Alone(2.0), Shared(3.0), Alone(1.0)])
    second = Job(0.0, [Shared(4.0)])
    simulate([first, second], runners=2, capacity=1.0)
    # Alone until 2 (2 of 4 done), then half each: `second` ends at 6 and `first`, with 1 left, at 7.
    assert (second.ended, first.ended) == (6.0, 8.0)
    assert (first.began, second.began) == (0.0, 0.0)


def test_jobs_wait_for_a_runner_in_their_order() -> None:
    jobs = [Job(at, [Alone(10.0)]) for at in (0.0, 1.0, 2.0)]
    outcome = simulate(jobs, runners=1)
    assert [job.waited for job in jobs] == [0.0, 9.0, 18.0]
    assert outcome.most_waiting == 2
    with pytest.raises(ValueError, match="a runner"):
        simulate(jobs, runners=0)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_as_many_runs_are_asked_for_as_was_said(pattern: str) -> None:
    found = arrivals(pattern, 200.0, 70, random.Random(1))
    assert len(found) / 70 == pytest.approx(200, rel=0.05)
    assert found == sorted(found)
    assert max(found) < 70 * DAY_S


def test_nobody_asks_at_night_and_a_backlog_comes_at_once() -> None:
    hours = [at % DAY_S / 3600 for at in arrivals("office", 500.0, 7, random.Random(1))]
    assert min(hours) >= 8
    assert max(hours) <= 18
    backlog = arrivals("backlog", 500.0, 5, random.Random(1))
    assert backlog.count(9 * 3600.0) == 140
    with pytest.raises(ValueError, match="unknown pattern"):
        arrivals("tides", 1.0, 1, random.Random(1))


@pytest.fixture(scope="module")
def times() -> Times:
    return times_of("", random.Random(1))


def test_a_seed_gives_the_same_result_and_another_one_another(times: Times) -> None:
    fleet = Fleet(100, 50, 3, 1)
    assert look(fleet, times, 1) == look(fleet, times, 1)
    assert look(fleet, times, 1) != look(fleet, times, 2)


def test_more_runners_mean_younger_runs_and_a_higher_price(times: Times) -> None:
    few, many = (look(Fleet(100, 100, runners, 1), times) for runners in (3, 12))
    assert few.late_age > many.late_age
    assert few.cost < many.cost
    assert few.first == "runners"


def test_a_model_server_that_is_too_small_is_what_breaks_first(times: Times) -> None:
    small = Times(runs=times.runs, server_tokens_s=80.0)
    assert look(Fleet(1000, 400, 60, 1), small).first == "model"


def test_the_smallest_fleet_is_enough(times: Times) -> None:
    fleet, found = smallest(100, times, age_s=600)
    assert found.late_age <= 600
    assert look(Fleet(100, 100, fleet.runners - 1, fleet.servers), times).late_age > 600


def test_a_part_is_full_where_its_rate_says(times: Times) -> None:
    one = Times(runs=(RunTimes(model_s=300.0, other_s=300.0, turns=20, tokens=12_000),))
    assert limits(one)["runner"] == pytest.approx(DAY_S / 6.7 / 600)
    assert limits(one)["model server"] == pytest.approx(DAY_S / 6.7 / 10)
    assert min(limits(times), key=lambda name: limits(times)[name]) == "runner"


def test_a_real_log_gives_the_times_of_its_run() -> None:
    entries = [
        Entry.model_validate_json(line)
        for line in (Path(demo.__file__).parent / "recording.jsonl").read_text().splitlines()
    ]
    found = run_times(entries)
    assert found is not None
    assert found.turns > 3
    assert 0 <= found.model_s < inf
    assert run_times(entries[:2]) is None


def test_the_page_on_scaling_says_what_the_simulation_says(times: Times) -> None:
    page = (Path(__file__).parents[3] / "docs" / "scaling.md").read_text()
    rows = re.findall(r"^\| ([\d,]+) \| (\d+) \| (\d+)", page, re.MULTILINE)
    assert len(rows) == 4
    for a_day, runners, servers in rows:
        fleet, _ = smallest(float(a_day.replace(",", "")), times, age_s=600)
        assert (fleet.runners, fleet.servers) == (int(runners), int(servers))
    full = dict(re.findall(r"^\| ([a-z ]+) \| ([\d,]+) \|", page, re.MULTILINE))
    for name, a_day in limits(times).items():
        assert float(full[name].replace(",", "")) == pytest.approx(a_day, rel=0.1)
