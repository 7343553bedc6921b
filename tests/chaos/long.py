"""The long form: every process is killed at every kind of moment, and at random ones, under SQLite and under PostgreSQL.

    python -m tests.chaos.long [--moments N] [--seed N] [--database sqlite|postgresql]

After each kill the run has to end in exactly one pull request, one status comment and one check run, with nothing left behind.
"""

import argparse
import contextlib
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bot.forges.forge import Repo
from tests.chaos.test_kill import LONG, assert_exactly_one, moment
from tests.harness import BotUnderTest, doubling, draft, wait_until
from tests.postgres import PostgresServer

VICTIMS = ("runs", "publish", "intake", "web", "redis")


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

    bot: BotUnderTest
    server: PostgresServer | None
    rows: dict[str, Row]
    console: Console
    number: int = 0

    def begin(self) -> tuple[Repo, int]:
        wait_until(self.bot.is_up, "the web app")
        self.number += 1
        repo = self.bot.make_repo(f"octo/r{self.number}")
        self.bot.script([draft()], doubling())
        issue = self.bot.forge.open_issue(repo.full_name, "ada", "Double numbers", "4 becomes 8, please.")
        self.bot.forge.add_label(repo.full_name, issue.number, "agent:implement", "ada")
        return repo, issue.number

    def once(self, victim: str, when: Callable[[Repo, int], None]) -> None:
        """Begin a run, kill `victim` when `when` returns, and look at the end."""
        repo, number = self.begin()
        when(repo, number)
        seen = self._work(repo, number)
        killed = time.monotonic()
        if victim == "postgresql" and self.server is not None:
            self.server.kill()
            self.server.start()
        else:
            self.bot.group.kill(victim)
        self.bot.group.forgive()
        while True:  # others may go down with it, and come back
            self.bot.group.revive()
            with contextlib.suppress(Exception):
                if self._work(repo, number) > seen or self._ended(repo, number):
                    break
            time.sleep(0.05)
        row = self.rows.setdefault(victim, Row())
        row.kills += 1
        row.seconds.append(time.monotonic() - killed)
        self.console.print(f"{row.kills:3} {victim}: {row.seconds[-1]:.1f} s", style="dim")
        self._judge(row, repo, number)

    def _judge(self, row: Row, repo: Repo, number: int) -> None:
        def ended() -> bool:
            self.bot.group.revive()
            return self._ended(repo, number)

        try:
            wait_until(ended, "the end of the run", 120)
            state = self.bot.finished(repo, "issue", number)
            if state.status != "done":
                raise AssertionError(f"{state.code} {state.reason}")
        except AssertionError as error:
            row.lost += 1
            self.console.print(f"lost: {repo.full_name}: {error}", style="red")
            return
        try:
            assert_exactly_one(self.bot, repo, number)
        except AssertionError as error:
            row.doubled += 1
            self.console.print(f"doubled or left behind: {repo.full_name}: {error}", style="red")
        else:
            row.recovered += 1

    def _work(self, repo: Repo, number: int) -> int:
        """How many events there are, but for those of status comments."""
        runs = self.bot.runs_on(repo, "issue", number)
        entries = self.bot.store.entries(runs[0]) if runs else []
        return sum(entry.event.type != "StatusPosted" for entry in entries)

    def _ended(self, repo: Repo, number: int) -> bool:
        with contextlib.suppress(Exception):  # the database may be on its way back
            runs = self.bot.runs_on(repo, "issue", number)
            return bool(runs) and self.bot.state(runs[0]).status != "active"
        return False


@contextlib.contextmanager
def started(database: str, console: Console) -> Iterator[Chaos]:
    """A bot on a database of that kind, with the settings as they come."""
    with contextlib.ExitStack() as stack:
        settings: dict[str, object] = {"lease_seconds": 30.0, "reap_seconds": 5.0}
        server = None
        if database == "postgresql":
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="scn-pg-")))
            folder.chmod(0o755)
            server = stack.enter_context(PostgresServer(folder, durable=True))
            settings["database_url"] = server.create("chaos")
        bot = stack.enter_context(BotUnderTest(settings))
        yield Chaos(bot, server, {}, console)


def run(database: str, moments: int, seed: int, only: str, console: Console) -> bool:
    """All kills on one kind of database, or those of `only`; prints the table, and says whether nothing was lost or doubled."""
    choose = random.Random(seed)
    with started(database, console) as chaos:
        begun = time.monotonic()
        repo, number = chaos.begin()
        assert chaos.bot.finished(repo, "issue", number).status == "done"
        usual = time.monotonic() - begun
        victims = (*VICTIMS, "postgresql") if chaos.server else VICTIMS
        chosen = [each for each in victims if only in ("", each)]
        kinds = list(dict.fromkeys((kind, phase) for kind, phase, _ in LONG))
        for kind, phase, victim in ((*each, victim) for each in kinds for victim in chosen):

            def arrived(repo: Repo, number: int, kind: str = kind, phase: str = phase) -> None:
                wait_until(lambda: _arrived(chaos.bot, repo, number, kind, phase), f"{kind} {phase}")

            chaos.once(victim, arrived)
        for _ in range(moments):
            delay = choose.uniform(0, usual)
            chaos.once(choose.choice(chosen), lambda _repo, _number, delay=delay: time.sleep(delay))  # type: ignore[misc]
        return _print(console, chaos.rows, f"{database}, seed {seed}, {usual:.1f} s a run undisturbed")


def _arrived(bot: BotUnderTest, repo: Repo, number: int, kind: str, phase: str) -> bool:
    runs = bot.runs_on(repo, "issue", number)
    return bool(runs) and moment(bot.store.entries(runs[0]), kind, phase)


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
    parser.add_argument("--only", default="", choices=[*VICTIMS, "postgresql"], help="kill nothing else")
    given = parser.parse_args()
    console = Console(width=120)
    databases = [given.database] if given.database else ["sqlite", "postgresql"]
    good = [run(database, given.moments, given.seed, given.only, console) for database in databases]
    return 0 if all(good) else 1


if __name__ == "__main__":
    raise SystemExit(main())
