"""What a fleet is asked for and what it has, and what comes of it."""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil

from bench.fleet.arrivals import DAY_S, arrivals
from bench.fleet.measured import RunTimes, Times
from bench.fleet.simulation import Job, Outcome, simulate

HOUR_S = 3600.0
# In the busiest hour of an office's day as much happens as in so many hours on average.
_BUSIEST = 6.7


@dataclass(frozen=True)
class Fleet:
    """`repos` repositories, which ask for `runs_a_day` runs in all, on `runners` runners.

    `servers` is the number of model servers.
    """

    repos: int
    runs_a_day: float
    runners: int
    servers: int
    pattern: str = "office"
    days: int = 5


@dataclass(frozen=True)
class Found:
    """What came of a fleet: ages of the queue in seconds, the cost of a run in dollars.

    `busy` is the use of each part in its busiest hour, as a share of what it can do.
    """

    runs: int
    median_age: float
    late_age: float  # 95 of 100 waited less
    oldest_age: float
    most_waiting: int
    cost: float
    busy: Mapping[str, float]

    @property
    def first(self) -> str:
        """The part that breaks first when more is asked for."""
        return max(self.busy, key=lambda name: self.busy[name])


def look(fleet: Fleet, times: Times, seed: int = 1) -> Found:
    """Simulate `fleet`; the same `seed` gives the same result. Raises `ValueError` if no run is asked for."""
    chance = random.Random(seed)  # noqa: S311
    drawn: list[tuple[Job, RunTimes]] = []
    for at in arrivals(fleet.pattern, fleet.runs_a_day, fleet.days, chance):
        kind = chance.choice(times.runs)
        drawn.append((Job(at, kind.stages()), kind))
    if not drawn:
        raise ValueError("no run is asked for in these days")
    outcome = simulate((job for job, _ in drawn), fleet.runners, fleet.servers * times.at_once)
    ages = sorted(job.waited for job in outcome.jobs)
    return Found(
        runs=len(ages),
        median_age=ages[len(ages) // 2],
        late_age=ages[ceil(len(ages) * 0.95) - 1],
        oldest_age=ages[-1],
        most_waiting=outcome.most_waiting,
        cost=_cost(fleet, times, outcome) / len(ages),
        busy=_busy(fleet, times, outcome, drawn),
    )


def smallest(runs_a_day: float, times: Times, *, age_s: float, seed: int = 1) -> tuple[Fleet, Found]:
    """Return the cheapest fleet in whose queue 95 of 100 runs are younger than `age_s`.

    Model servers are added while one of them is used for more than 80 % in its busiest hour.
    """
    servers, runners = 1, 1
    while True:
        fleet = Fleet(max(1, round(runs_a_day)), runs_a_day, runners, servers)
        found = look(fleet, times, seed)
        if found.busy["model"] > 0.8:
            servers += 1
        elif found.late_age > age_s:
            runners += max(1, runners // 4)
        else:
            return fleet, found


def limits(times: Times) -> dict[str, float]:
    """Return how many runs a day one of each part can do at most, if they come in an office's hours."""
    number = len(times.runs)
    model_s = sum(each.model_s for each in times.runs) / number
    held_s = model_s + sum(each.other_s for each in times.runs) / number
    turns = sum(each.turns for each in times.runs) / number
    of_a_run = {
        "runner": held_s,
        "model server": model_s / times.at_once,
        "database": (turns * times.commits_a_turn + times.commits_a_run) / times.commits_s,
        "broker": times.messages_a_run / times.messages_s,
        "web": times.deliveries_a_run / times.deliveries_s,
    }
    return {name: DAY_S / _BUSIEST / seconds for name, seconds in of_a_run.items()}


def _cost(fleet: Fleet, times: Times, outcome: Outcome) -> float:
    """What runners and model servers cost that stand there all the time, in dollars."""
    hours = max(fleet.days * DAY_S, outcome.end) / HOUR_S
    return hours * (fleet.runners * times.runner_dollars_h + fleet.servers * times.server_dollars_h)


def _busy(
    fleet: Fleet, times: Times, outcome: Outcome, drawn: list[tuple[Job, RunTimes]]
) -> dict[str, float]:
    hours = int(outcome.end // HOUR_S) + 1
    held, model, turns, asked = ([0.0] * hours for _ in range(4))
    for job, kind in drawn:
        asked[int(job.at // HOUR_S)] += 1
        length = max(job.ended - job.began, 1e-9)
        for hour in range(int(job.began // HOUR_S), int(job.ended // HOUR_S) + 1):
            inside = min(job.ended, (hour + 1) * HOUR_S) - max(job.began, hour * HOUR_S)
            held[hour] += inside
            model[hour] += inside / length * kind.model_s
            turns[hour] += inside / length * kind.turns
    deliveries = fleet.repos * times.deliveries_a_repo / DAY_S * _BUSIEST
    commits = max(
        turn * times.commits_a_turn + run * times.commits_a_run
        for turn, run in zip(turns, asked, strict=True)
    )
    most = max(asked)
    return {
        "runners": max(held) / (HOUR_S * fleet.runners),
        "model": max(model) / (HOUR_S * fleet.servers * times.at_once),
        "database": commits / HOUR_S / times.commits_s,
        "broker": most * times.messages_a_run / HOUR_S / times.messages_s,
        "web": (most * times.deliveries_a_run / HOUR_S + deliveries) / times.deliveries_s,
    }
