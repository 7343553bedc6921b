"""Many runs at once on one worker, with a model that takes two seconds for a turn.

It prints the runs a minute and the memory for each run. RUNS=64 sets another number of runs than eight, which
a machine with two cores and 2 GB of free memory can do.
"""

import os
import time
from pathlib import Path
from typing import Any

from rich.console import Console

from runners.models.chat import Reply
from tests.support.harness import BotUnderTest, doubling, draft

_RUNS = int(os.environ.get("RUNS", "8").split()[0])
_LATENCY_S = 2.0
# It only ends runs that hang.
_MOST_S = 600.0


def run(console: Console) -> None:
    """Measure and print."""
    turns = doubling()

    def slow(reply: Any) -> Any:
        def turn(_request: dict[str, Any]) -> Reply:
            time.sleep(_LATENCY_S)
            assert isinstance(reply, Reply)
            return reply

        return turn

    with BotUnderTest({"runs_at_once": _RUNS, "command_seconds": 600, "lease_seconds": 60}) as bot:
        bot.script([slow(draft())], [slow(turn) for turn in turns])
        repos = [bot.make_repo(f"octo/r{number}") for number in range(_RUNS)]
        issues = [
            bot.forge.open_issue(repo.full_name, "ada", "Double", "Doubling 4 should give 8.")
            for repo in repos
        ]
        started = time.monotonic()
        for repo, issue in zip(repos, issues, strict=True):
            bot.forge.add_label(repo.full_name, issue.number, "agent:implement", "ada")
        peak, most, done = 0.0, 0, 0
        while done < _RUNS and time.monotonic() - started < _MOST_S:
            time.sleep(1)
            processes = _worker_memory()
            peak, most = max(peak, sum(processes)), max(most, len(processes))
            rows = bot.store.list_runs(1000)
            done = sum(row.status != "active" for row in rows)
        seconds = time.monotonic() - started
        good = sum(row.status == "done" for row in rows)
        for row in rows:
            if row.status != "done":
                state = bot.state(row.id)
                problems = [each.message for each in state.verdict.problems] if state.verdict else []
                console.print(f"{row.target}: {row.status}: {state.code} {state.reason} {problems}")
    console.print(
        f"{good} of {_RUNS} runs on one worker, {_LATENCY_S:.0f} s a turn, {len(turns) + 2} turns each: "
        f"{_RUNS / seconds * 60:.0f} runs a minute; "
        f"at most {peak:,.0f} MB in {most} processes of the worker (proportional set size), "
        f"{peak / _RUNS:.0f} MB a run\n"
    )


def _worker_memory() -> list[float]:
    """Return the proportional set sizes, in MB, of the processes of the `runs` worker."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if b"--queues\0runs\0" not in (process / "cmdline").read_bytes():
                continue
            if (process / "comm").read_text() == "sh\n":  # the guard of a process group
                continue
            lines = (process / "smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        found += [int(line.split()[1]) / 1024 for line in lines if line.startswith("Pss:")]
    return found
