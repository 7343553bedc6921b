"""`scenarist log`."""

import json
from collections.abc import Sequence
from typing import Annotated

import typer

from bot.cli.options import RunId
from bot.cli.runs.audit import entries_of, on_one_line
from bot.config.settings import load_settings
from bot.log.events import Entry
from bot.report.page.times import times
from bot.storage.store import open_store
from gherkin.errors import ScenaristError
from runners.contract.events import VerdictReached
from runners.contract.job import log_name
from runners.policy.plaintext import for_terminal
from runners.verify.verdict import Evidence

_SHOWN = 190  # characters of a line


class LogMissing(ScenaristError):
    """A run has no such command, or its output is not kept any more."""

    code = "SCN-7024"
    next_step = "`scenarist log RUN --commands` lists them; `scenarist gc` removes old output."


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
    commands: Annotated[
        bool, typer.Option("--commands", help="What the verifier ran, with a number for each command.")
    ] = False,
    output: Annotated[
        int | None,
        typer.Option("--output", metavar="NUMBER", help="The output of the verifier's command NUMBER."),
    ] = None,
) -> None:
    """Print a run's log, or what the verifier ran."""
    entries = entries_of(run)
    if output is not None:
        typer.echo(for_terminal(output_of(run, entries, output)))
        return
    if commands:
        for number, (verdict, each) in enumerate(_commands(entries), 1):
            typer.echo(_command_json(number, verdict, each) if as_json else _command(number, verdict, each))
        return
    if show_times:
        for line in times(entries):
            typer.echo(on_one_line(line))
        return
    for entry in entries:
        typer.echo(entry.model_dump_json() if as_json else log_line(entry))


def output_of(run: str, entries: Sequence[Entry], number: int) -> str:
    """Return the output of the verifier's command `number` (from 1). Raises `LogMissing`."""
    found = _commands(entries)
    if not 1 <= number <= len(found):
        raise LogMissing(f"The verifier ran {len(found)} commands in run {run}; there is no number {number}.")
    digest = found[number - 1][1].log_sha256
    kept = open_store(load_settings().database).artifact(run, log_name(digest)) if digest else None
    if kept is None:
        raise LogMissing(f"The output of command {number} of run {run} is not kept.")
    return kept.decode(errors="replace")


def log_line(entry: Entry) -> str:
    """Return an entry of a run's log as one line without control characters."""
    text = entry.event.model_dump_json(exclude={"type"})
    return on_one_line(f"{entry.seq:4} {entry.at[11:19]} {entry.event.type:14} {text}")[:_SHOWN]


def _commands(entries: Sequence[Entry]) -> list[tuple[int, Evidence]]:
    """Return (number of the verdict, command) of all that the verifier ran, in their order."""
    verdicts = [entry.event.verdict for entry in entries if isinstance(entry.event, VerdictReached)]
    return [(number, each) for number, verdict in enumerate(verdicts, 1) for each in verdict.evidence]


def _command(number: int, verdict: int, each: Evidence) -> str:
    ended = "none" if each.exit_code is None else each.exit_code
    took = "known" if each.known else f"{each.seconds:.1f} s"
    line = f"{number:4} verdict {verdict} exit {ended} {took:>8}  {each.command}  ({each.purpose})"
    return on_one_line(line)[:_SHOWN]


def _command_json(number: int, verdict: int, each: Evidence) -> str:
    return json.dumps({"number": number, "verdict": verdict, **each.model_dump(mode="json")})
