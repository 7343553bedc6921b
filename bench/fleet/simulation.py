"""Discrete-event simulation of jobs that hold one of several runners and share a model server meanwhile.

Jobs wait for a runner in their order. A job with a runner does its stages one after the other: `Alone` takes
its seconds, `Shared` needs work of a server that all jobs share. That server does at most `capacity` units a
second in all, and at most one unit a second for a job. All jobs in it get the same (processor sharing).
"""

import heapq
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from math import inf


@dataclass(frozen=True)
class Alone:
    """A stage that needs nothing but the runner, for `seconds`."""

    seconds: float


@dataclass(frozen=True)
class Shared:
    """A stage that needs `work` of the shared server: seconds, if nobody else uses it."""

    work: float


Stage = Alone | Shared


@dataclass
class Job:
    """A job that is asked for at `at` (seconds); what became of it is filled in by `simulate`."""

    at: float
    stages: Sequence[Stage]
    began: float = inf
    ended: float = inf
    _next: int = field(default=0, repr=False)

    @property
    def waited(self) -> float:
        return self.began - self.at

    @property
    def took(self) -> float:
        return self.ended - self.at


@dataclass
class Outcome:
    """What `simulate` saw: the jobs, and for how many seconds runners and server were busy.

    `server_s` is the work that the shared server did, in units of its capacity for a job.
    """

    jobs: list[Job]
    end: float
    runner_s: float
    server_s: float
    most_waiting: int


class SharedServer:
    """Processor sharing by virtual time: the work that each job in it has been given since the start."""

    def __init__(self, capacity: float) -> None:
        self._capacity = capacity
        self._given = 0.0
        self._at = 0.0
        self._heap: list[tuple[float, int, Job]] = []
        self._count = 0
        self.done = 0.0

    @property
    def rate(self) -> float:
        """What each job in it is given in a second."""
        return min(1.0, self._capacity / len(self._heap)) if self._heap else 0.0

    def move_to(self, now: float) -> None:
        """Give all jobs in it their work until `now`."""
        step = (now - self._at) * self.rate
        self._given += step
        self.done += step * len(self._heap)
        self._at = now

    def enter(self, job: Job, work: float) -> None:
        """Let `job` begin; `move_to` has to be called before."""
        self._count += 1
        heapq.heappush(self._heap, (self._given + work, self._count, job))

    def next_end(self) -> float:
        """Return when the next job is done if no other one comes."""
        if not self._heap:
            return inf
        return self._at + max(0.0, self._heap[0][0] - self._given) / self.rate

    def leave(self) -> Job:
        """Take out the job that is done first."""
        return heapq.heappop(self._heap)[2]


def simulate(jobs: Iterable[Job], runners: int, capacity: float = inf) -> Outcome:
    """Do all jobs on `runners` runners; `capacity` is the shared server's.

    Raises `ValueError` without runners.
    """
    if runners < 1 or capacity <= 0:
        raise ValueError("there must be a runner, and a server that does something")
    arriving = sorted(jobs, key=lambda each: each.at)
    server = SharedServer(capacity)
    waiting: deque[Job] = deque()
    alone: list[tuple[float, int, Job]] = []
    free, index, now, count, busy_s, most = runners, 0, 0.0, 0, 0.0, 0

    def go_on(job: Job) -> None:
        """Begin the job's next stage, or end it and give its runner to the next job."""
        nonlocal free, count
        if job._next == len(job.stages):
            job.ended = now
            free += 1
            begin()
            return
        stage = job.stages[job._next]
        job._next += 1
        if isinstance(stage, Alone):
            count += 1
            heapq.heappush(alone, (now + stage.seconds, count, job))
        else:
            server.enter(job, stage.work)

    def begin() -> None:
        nonlocal free
        while free and waiting:
            free -= 1
            job = waiting.popleft()
            job.began = now
            go_on(job)

    while index < len(arriving) or alone or free < runners:
        arrival = arriving[index].at if index < len(arriving) else inf
        ends = alone[0][0] if alone else inf
        shared = server.next_end()
        then = min(arrival, ends, shared)
        busy_s += (then - now) * (runners - free)
        now = then
        server.move_to(now)
        if arrival == then:
            waiting.append(arriving[index])
            index += 1
            begin()
            most = max(most, len(waiting))
        elif ends == then:
            go_on(heapq.heappop(alone)[2])
        else:
            go_on(server.leave())
    return Outcome(jobs=arriving, end=now, runner_s=busy_s, server_s=server.done, most_waiting=most)
