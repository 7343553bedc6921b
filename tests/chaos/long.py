"""The long form: every process is killed at every kind of moment, and at random ones, under SQLite and under
PostgreSQL.

    python -m tests.chaos.long [--moments N] [--seed N] [--database sqlite|postgresql] [--forge
    local|candidates|github|gitlab|emulator] [--runner celery|kubernetes] [--only VICTIM] [--seconds N]

With `--runner kubernetes` runs are done in Jobs of the stand-in, by two dispatchers, and what happens there to
pods, nodes, the API and its watches counts as a kill. With `--seconds` no kill begins after that time, and the
table's title says how many of the moments were tried.

After each kill the run has to end in exactly one pull request, one status comment and one check run, with
nothing left behind.
"""

import argparse
import contextlib
import math
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bot.log.events import Entry
from bot.log.state import RunState, fold
from tests.chaos.moments import CANDIDATES, LONG, moment
from tests.chaos.places import Place, Task, place
from tests.support.harness import BotUnderTest
from tests.support.on_kubernetes import BotOnKubernetes
from tests.support.postgres import PostgresServer
from tests.support.waiting import dawdle, wait_until

FORGES = ("local", "candidates", "github", "gitlab", "emulator")
VICTIMS = ("runs", "publish", "intake", "web", "redis")
# What is killed where runs are done in Jobs, besides the bot's processes.
IN_CLUSTER = ("pod", "node", "eviction", "memory", "api", "watch")
VICTIMS_THERE = (*IN_CLUSTER, "dispatch-0", "publish", "intake", "web", "redis")
# Seconds that the API is away.
_AWAY_S = 8.0


@dataclass
class Row:
    """What came of the kills of one victim."""

    kills: int = 0
    recovered: int = 0
    lost: int = 0
    doubled: int = 0
    seconds: list[float] = field(default_factory=list)


@dataclass
class Chaos:
    """One bot, and what is done to it."""

    place: Place
    server: PostgresServer | None
    rows: dict[str, Row]
    console: Console

    @property
    def bot(self) -> BotUnderTest:
        return self.place.bot

    def begin(self) -> Task:
        wait_until(self.bot.is_up, "the web app")
        return self.place.begin()

    def entries(self, task: Task) -> list[Entry]:
        """The log of the task's run, as far as there is one."""
        runs = self.bot.store.list_runs(1, target=task.target)
        return self.bot.store.entries(runs[0].id) if runs else []

    def finished(self, task: Task, seconds: float) -> RunState:
        """The end of the task's run, its status comment being up to date."""

        def ended() -> RunState | None:
            self.bot.group.revive()
            with contextlib.suppress(Exception):  # the database may be on its way back
                runs = self.bot.store.list_runs(target=task.target)
                if len(runs) == 1 and runs[0].status != "active":
                    current = self.bot.store.reports.is_current(runs[0].id)
                    return fold(self.entries(task)) if current else None
            return None

        return wait_until(ended, f"the end of the run on {task.target}", seconds)

    def once(self, victim: str, when: Callable[[Task], None]) -> None:
        """Begin a run, kill `victim` when `when` returns, and look at the end."""
        task = self.begin()
        when(task)
        seen = self._work(task)
        killed = time.monotonic()
        if victim == "postgresql" and self.server is not None:
            self.server.kill()
            self.server.start()
        elif victim in IN_CLUSTER and isinstance(self.bot, BotOnKubernetes):
            _harm(self.bot, victim)
        else:
            self.bot.group.kill(victim)
        self.bot.group.forgive()

        def goes_on() -> bool:
            self.bot.group.revive()  # others may go down with it, and come back
            with contextlib.suppress(Exception):
                return self._work(task) > seen or fold(self.entries(task)).status != "active"
            return False

        wait_until(goes_on, "the next event", 600)
        row = self.rows.setdefault(victim, Row())
        row.kills += 1
        row.seconds.append(time.monotonic() - killed)
        self.console.print(f"{row.kills:3} {victim}: {row.seconds[-1]:.1f} s", style="dim")
        self._judge(row, task)

    def _judge(self, row: Row, task: Task) -> None:
        try:
            state = self.finished(task, 150)
            if state.status != "done":
                raise AssertionError(f"{state.code} {state.reason}")
        except AssertionError as error:
            row.lost += 1
            self.console.print(f"lost: {task.target}: {error}", style="red")
            return
        try:
            task.exactly_one()
        except AssertionError as error:
            row.doubled += 1
            self.console.print(f"doubled or left behind: {task.target}: {error}", style="red")
        else:
            row.recovered += 1

    def _work(self, task: Task) -> int:
        """How many events there are, but for those of status comments."""
        return sum(entry.event.type != "StatusPosted" for entry in self.entries(task))


def _harm(bot: BotOnKubernetes, what: str) -> None:
    """Harm the newest Job, or the API server."""
    cluster, job = bot.cluster, bot.cluster.made[-1] if bot.cluster.made else ""
    if what == "api":
        bot.api.away = True
        dawdle(_AWAY_S)
        bot.api.away = False
    elif what == "watch":
        bot.api.cut_watches()
    elif job in cluster.jobs:
        {
            "pod": cluster.delete_pod,
            "node": cluster.lose_node,
            "eviction": cluster.evict,
            "memory": cluster.use_up_memory,
        }[what](job)


@contextlib.contextmanager
def started(database: str, forge: str, runner: str, console: Console) -> Iterator[Chaos]:
    """A bot on a database of that kind, with the settings as they come."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="scn-chaos-")))
        folder.chmod(0o755)
        for each in ("postgresql", forge):
            (folder / each).mkdir()
        settings: dict[str, object] = {"lease_seconds": 30.0, "reap_seconds": 5.0}
        server = None
        if database == "postgresql":
            server = stack.enter_context(PostgresServer(folder / "postgresql", durable=True))
            settings["database_url"] = server.create("chaos")
        made = partial(BotOnKubernetes, dispatchers=2) if runner == "kubernetes" else BotUnderTest
        yield Chaos(stack.enter_context(place(forge, settings, folder / forge, made)), server, {}, console)


def run(
    database: str,
    forge: str,
    runner: str,
    moments: int,
    seed: int,
    only: str,
    seconds: float,
    console: Console,
) -> bool:
    """All kills on one kind of database, or those of `only`; prints the table, and says whether nothing was
    lost or doubled. No kill begins more than `seconds` after the start."""
    choose = random.Random(seed)
    until = time.monotonic() + seconds
    with started(database, forge, runner, console) as chaos:
        begun = time.monotonic()
        assert chaos.finished(chaos.begin(), 90).status == "done"
        usual = time.monotonic() - begun
        usual_victims = VICTIMS_THERE if runner == "kubernetes" else VICTIMS
        victims = (*usual_victims, "postgresql") if chaos.server else usual_victims
        chosen = [each for each in victims if only in ("", each)]
        moments_of, after = (CANDIDATES, "CandidateBegun") if forge == "candidates" else (LONG, "")
        kills: list[tuple[str, Callable[[Task], None]]] = []
        for kind, phase, victim in ((*each, victim) for each in moments_of for victim in chosen):

            def arrived(task: Task, kind: str = kind, phase: str = phase) -> None:
                wait_until(lambda: moment(chaos.entries(task), kind, phase, after=after), f"{kind} {phase}")

            kills.append((victim, arrived))
        for _ in range(moments):
            delay = choose.uniform(0, usual)

            def passed(_task: Task, delay: float = delay) -> None:
                dawdle(delay)

            kills.append((choose.choice(chosen), passed))
        tried = 0
        for victim, when in kills:
            if time.monotonic() > until:
                break
            chaos.once(victim, when)
            tried += 1
        return _print(
            console,
            chaos.rows,
            f"{forge}, {runner}, {database}, seed {seed}: {tried} of {len(kills)} moments, "
            f"{usual:.1f} s a run undisturbed",
        )


def _print(console: Console, rows: dict[str, Row], title: str) -> bool:
    table = Table(
        "killed", "kills", "recovered", "lost", "doubled", "seconds to go on (median)", "worst", title=title
    )
    for victim, row in rows.items():
        table.add_row(
            victim,
            *map(str, (row.kills, row.recovered, row.lost, row.doubled)),
            f"{statistics.median(row.seconds):.1f}",
            f"{max(row.seconds):.1f}",
        )
    console.print(table)
    return all(row.recovered == row.kills for row in rows.values())


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--moments", type=int, default=100)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10_000))
    parser.add_argument("--database", choices=["sqlite", "postgresql"])
    parser.add_argument("--forge", choices=FORGES)
    parser.add_argument("--runner", choices=["celery", "kubernetes"], default="celery")
    every = sorted({*VICTIMS, *VICTIMS_THERE, "postgresql"})
    parser.add_argument("--only", default="", choices=every, help="kill nothing else")
    parser.add_argument("--seconds", type=float, default=math.inf, help="begin no kill after this time")
    given = parser.parse_args()
    console = Console(width=120)
    databases = [given.database] if given.database else ["sqlite", "postgresql"]
    forges = [given.forge] if given.forge else list(FORGES)
    good = [
        run(database, forge, given.runner, given.moments, given.seed, given.only, given.seconds, console)
        for forge in forges
        for database in databases
    ]
    return 0 if all(good) else 1


if __name__ == "__main__":
    raise SystemExit(main())
