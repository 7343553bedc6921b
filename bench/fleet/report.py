"""Print what comes of fleets from 10 to 10,000 repositories, and which fleet is enough for how many runs.

FLEET_DATABASE is the URL of a database whose runs are taken instead of typical ones; SEED is another seed
than 1.
"""

import os
import random

from rich.console import Console
from rich.table import Table

from bench.fleet.arrivals import PATTERNS
from bench.fleet.fleet import Fleet, Found, limits, look, smallest
from bench.fleet.measured import Times, times_of

# Repositories ask for a run every other day; (repositories, runners, model servers).
_FLEETS = (
    *((10, 1, 1), (10, 2, 1), (100, 2, 1), (100, 5, 1), (1000, 20, 1), (1000, 40, 2)),
    *((10_000, 100, 5), (10_000, 250, 12), (10_000, 500, 20)),
)
_A_DAY = (1, 10, 100, 1000)
_AGE_S = 600.0


def run(console: Console) -> None:
    """Simulate and print."""
    seed = int(os.environ.get("SEED", "1"))
    times = times_of(os.environ.get("FLEET_DATABASE", ""), random.Random(seed))  # noqa: S311
    _middle(console, times)
    table = _table(
        "repositories",
        "runs a day",
        "pattern",
        "runners",
        "GPUs",
        title="fleets; age: the middle run / 95 of 100 / the oldest",
    )
    for repos, runners, servers in _FLEETS:
        fleet = Fleet(repos, repos / 2, runners, servers)
        _add(table, fleet, look(fleet, times, seed))
    for pattern in PATTERNS:
        fleet = Fleet(1000, 500, 40, 2, pattern)
        _add(table, fleet, look(fleet, times, seed))
    console.print(table)
    enough = _table(
        *("repositories", "runs a day", "pattern", "runners", "GPUs"),
        title=f"the smallest fleet in which 95 of 100 runs wait less than {_AGE_S / 60:.0f} minutes",
    )
    for a_day in _A_DAY:
        _add(enough, *smallest(a_day, times, age_s=_AGE_S, seed=seed))
    console.print(enough)
    alone = Table("part", "is full at so many runs a day", title="one of each part, in the busiest hour")
    for name, a_day in sorted(limits(times).items(), key=lambda each: each[1]):
        alone.add_row(name, f"{a_day:,.0f}")
    console.print(alone)


def _middle(console: Console, times: Times) -> None:
    whole = sorted(each.model_s + each.other_s for each in times.runs)
    share = sum(each.model_s for each in times.runs) / sum(whole)
    console.print(
        f"{len(times.runs)} kinds of runs. The middle one holds a runner for "
        f"{whole[len(whole) // 2] / 60:.0f} minutes; {share:.0%} of all that time is the model's. A GPU "
        f"writes {times.server_tokens_s:,.0f} tokens a second, {times.sequence_tokens_s:.0f} for one request."
    )


def _table(*columns: str, title: str) -> Table:
    table = Table(*columns, title=title)
    for column in ("age in the queue", "a run costs", "fullest in the busiest hour"):
        table.add_column(column)
    return table


def _add(table: Table, fleet: Fleet, found: Found) -> None:
    most = sorted(found.busy.items(), key=lambda each: -each[1])[:2]
    table.add_row(
        *(
            f"{fleet.repos:,}",
            f"{fleet.runs_a_day:,.0f}",
            fleet.pattern,
            str(fleet.runners),
            str(fleet.servers),
        ),
        " / ".join(_said(age) for age in (found.median_age, found.late_age, found.oldest_age)),
        f"${found.cost:,.2f}",
        ", ".join(f"{name} {share:.0%}" for name, share in most),
    )


def _said(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
