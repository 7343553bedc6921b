"""`scenarist log`."""

from typing import Annotated

import typer

from bot.cli.options import RunId
from bot.cli.runs.audit import entries_of, on_one_line
from bot.log.events import Entry
from bot.report.times import times

_SHOWN = 190  # characters of a line


def log(
    run: RunId,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object a line: a recording for replay.")
    ] = False,
    show_times: Annotated[
        bool,
        typer.Option(
            "--times", help="Where the time went: phases, the critical path, and what each verdict ran."
        ),
    ] = False,
) -> None:
    """Print a run's log."""
    if show_times:
        for line in times(list(entries_of(run))):
            typer.echo(on_one_line(line))
        return
    for entry in entries_of(run):
        typer.echo(entry.model_dump_json() if as_json else log_line(entry))


def log_line(entry: Entry) -> str:
    """Return an entry of a run's log as one line without control characters."""
    text = entry.event.model_dump_json(exclude={"type"})
    return on_one_line(f"{entry.seq:4} {entry.at[11:19]} {entry.event.type:14} {text}")[:_SHOWN]
