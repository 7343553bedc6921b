"""How long things take. The numbers of Scenarist itself come from its benches on two cores.

`from_database` reads the runs of a real installation instead of typical ones.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

from bench.fleet.simulation import Alone, Shared, Stage
from bot.log.events import Entry, RunEnded
from bot.log.state import fold
from bot.report.page.timeline import spans
from bot.storage.store import open_store
from runners.contract.events import ModelReplied

_RUNNER_PHASES = ("specify", "baseline", "implement", "verify", "survey")


@dataclass(frozen=True)
class RunTimes:
    """One run: seconds with the model when nobody else uses it, and other seconds on a runner.

    `turns` are the model's replies, `tokens` what it wrote in them.
    """

    model_s: float
    other_s: float
    turns: int
    tokens: int

    def stages(self) -> list[Stage]:
        """Return the run as a set-up, three parts of model and tools, and a verdict."""
        part = [Shared(self.model_s / 3), Alone(self.other_s / 9)]
        return [Alone(self.other_s / 3), *part, *part, *part, Alone(self.other_s / 3)]


@dataclass(frozen=True)
class Times:
    """What a fleet is made of; times in seconds, rates a second.

    `runs` is what runs are drawn from. A model server writes `server_tokens_s` in all and `sequence_tokens_s`
    for one request: an assumption for a model of some 30 billion parameters on one GPU. The other rates are
    those of one process; a commit is one that is on the disk.
    """

    runs: tuple[RunTimes, ...]
    sequence_tokens_s: float = 40.0
    server_tokens_s: float = 1200.0
    deliveries_s: float = 1000.0  # bench deliveries: accepted, stored and enqueued
    messages_s: float = 1700.0  # bench deliveries: Celery's send_task over a unix socket
    commits_s: float = 330.0  # bench turns: two durable commits are 6 ms of a turn
    commits_a_turn: float = 2.0
    commits_a_run: float = 60.0  # phases, status comments, heartbeats of ten minutes
    messages_a_run: float = 40.0  # wake-ups and reports
    deliveries_a_run: float = 25.0  # what the run's own label, pushes, comments and checks cause
    deliveries_a_repo: float = 200.0  # what else happens in a repository in a day
    runner_dollars_h: float = 0.20
    server_dollars_h: float = 2.50

    @property
    def at_once(self) -> float:
        """How many requests a model server answers at its full speed for each."""
        return self.server_tokens_s / self.sequence_tokens_s


def typical(chance: random.Random, number: int = 400) -> tuple[RunTimes, ...]:
    """Return runs of ten minutes or so: 25 turns of 250 tokens, and tests and set-ups of five minutes.

    Turns and seconds are drawn from log-normal distributions, whose long tails are what queues suffer from.
    """
    found = []
    for _ in range(number):
        turns = max(5, round(chance.lognormvariate(3.1, 0.5)))
        tokens = turns * 250
        # Beside the model's own time a turn costs 18 ms (bench turns) and its tools a second.
        other = chance.lognormvariate(5.3, 0.7) + turns * 1.018
        found.append(RunTimes(model_s=tokens / 40.0, other_s=other, turns=turns, tokens=tokens))
    return tuple(found)


def from_database(url: str, newest: int = 500) -> tuple[RunTimes, ...]:
    """Return the times of the newest runs that have ended in the database `url`.

    Raises the database's errors.
    """
    store = open_store(url)
    found = [run_times(store.entries(row.id)) for row in store.list_runs(newest)]
    return tuple(each for each in found if each is not None)


def run_times(entries: Sequence[Entry]) -> RunTimes | None:
    """Return the times of one run from its log, or None if it has not ended or asked no model."""
    replies = [entry.event for entry in entries if isinstance(entry.event, ModelReplied)]
    if not replies or not any(isinstance(entry.event, RunEnded) for entry in entries):
        return None
    held = sum(
        each.seconds for each in spans(fold(entries).times) if each.critical and each.phase in _RUNNER_PHASES
    )
    model = min(held, sum(each.seconds for each in replies))
    tokens = sum(each.reply.usage.completion_tokens for each in replies)
    return RunTimes(model_s=model, other_s=held - model, turns=len(replies), tokens=tokens)


def times_of(url: str, chance: random.Random) -> Times:
    """Return the times for the runs in the database `url`, or for typical ones if it is empty.

    Raises `ValueError` if no run in the database has ended.
    """
    if not url:
        return Times(runs=typical(chance))
    runs = from_database(url)
    if not runs:
        raise ValueError("no run in this database has ended")
    seconds = sum(each.model_s for each in runs)
    tokens = sum(each.tokens for each in runs)
    known = Times(runs=runs)
    return replace(known, sequence_tokens_s=tokens / seconds) if seconds and tokens else known
