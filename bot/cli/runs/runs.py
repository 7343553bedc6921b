"""`scenarist runs`."""

import json
import time
from collections.abc import Sequence
from typing import Annotated, Literal

import typer
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from bot.cli.options import AsJson
from bot.config.settings import load_settings
from bot.storage.listing import RunFilter, RunLine, find_runs
from bot.storage.store import open_store
from runners.policy.plaintext import for_terminal, one_line

StateFilter = Literal["open", "active", "paused", "done", "needs_info", "gave_up", "failed", "cancelled"]
KindFilter = Literal["implement", "revise", "onboard"]
_MAX_TITLE = 60
_ID_LENGTH = 26  # of a ULID


def runs(
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many.")] = 20,
    repo: Annotated[str, typer.Option(help="Only those of this repository (OWNER/NAME).")] = "",
    state: Annotated[
        StateFilter | None, typer.Option(help="Only those in this state; open: not ended.")
    ] = None,
    kind: Annotated[KindFilter | None, typer.Option(help="Only those of this kind.")] = None,
    person: Annotated[str, typer.Option(help="Only those that this account asked for.")] = "",
    as_json: AsJson = False,
) -> None:
    """List the newest runs: state, age, cost, pull request, title."""
    chosen = RunFilter(repo=repo, state=state or "", kind=kind or "", person=person)
    now = time.time()
    found = find_runs(open_store(load_settings().database).engine, chosen, None, now, limit)
    if as_json:
        typer.echo(json.dumps([each.model_dump(mode="json") for each in found], indent=2))
        return
    Console(soft_wrap=True).print(_table(found, now) if found else "There is no such run.")


def _table(found: Sequence[RunLine], now: float) -> Table:
    # An id that is cut short cannot be copied. In a narrow terminal the title is cut first.
    table = Table(Column("id", no_wrap=True, min_width=_ID_LENGTH), box=None, pad_edge=False)
    for name in ("target", "state", "age", "dollars", "pull"):
        table.add_column(name, no_wrap=True)
    table.add_column("title")
    for each in found:
        waits = each.standing if each.status == "active" else ""
        cells = (
            each.id,
            f"{each.repo}#{each.number}" if each.number else each.repo,
            f"{each.status}: {waits}" if waits else each.status,
            age(now - each.created_at),
            f"{each.cost:.2f}",
            f"#{each.pull}" if each.pull else "",
        )
        title = one_line(for_terminal(each.title), _MAX_TITLE)
        table.add_row(*map(Text, cells), Text(title, no_wrap=True, overflow="ellipsis"))
    return table


def age(seconds: float) -> str:
    """Return a length of time in its largest unit: ``5 min``."""
    for name, length in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{int(seconds // length)} {name}"
    return f"{max(0, int(seconds))} s"
