"""The commands that look at runs and steer them."""

from typing import Annotated

import typer

from bot.config.settings import load_settings
from bot.runs.control import RunUnknown

app = typer.Typer()
RunId = Annotated[str, typer.Argument(help="The run's id.")]


@app.command()
def runs(limit: Annotated[int, typer.Option(min=1, max=1000, help="How many.")] = 20) -> None:
    """List the newest runs."""
    from bot.storage.database import connect
    from bot.storage.store import Store

    for row in Store(connect(load_settings().database)).list_runs(limit):
        typer.echo(f"{row.id}  {row.status:10}  {row.phase:9}  {row.target}")


@app.command()
def costs(days: Annotated[float, typer.Option(min=0.01, help="Of how many days.")] = 30) -> None:
    """What runs have used, by repository."""
    import time

    from rich.console import Console
    from rich.table import Table

    from bot.storage.database import connect
    from bot.storage.usage import usage_by_repository

    engine = connect(load_settings().database)
    table = Table("repository", "runs", "done", "tokens", "US dollars", "minutes", box=None)
    for forge, repo, used in usage_by_repository(engine, time.time() - days * 86_400):
        row = (used.runs, used.done, f"{used.tokens:,}", f"{used.cost:.2f}", f"{used.minutes:.1f}")
        table.add_row(f"{forge}:{repo}", *map(str, row))
    Console().print(table)


@app.command(name="log")
def show_log(
    run: Annotated[str, typer.Argument(help="The run's id.")],
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object a line: a recording for replay.")
    ] = False,
) -> None:
    """Print a run's log."""
    from bot.cli.audit import log_line
    from bot.storage.database import connect
    from bot.storage.store import Store

    store = Store(connect(load_settings().database))
    entries = store.entries(run)
    if not entries:
        raise RunUnknown(f"There is no run {run}.")
    for entry in entries:
        typer.echo(entry.model_dump_json() if as_json else log_line(entry))


@app.command()
def audit(
    run: Annotated[str, typer.Argument(help="The run's id.")],
    verify: Annotated[
        bool, typer.Option("--verify", help="Check that no entry was removed or altered.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """Print every tool call of a run: who, what, and what came of it."""
    from bot.cli.audit import audit_lines, check_audit
    from bot.storage.database import connect
    from bot.storage.store import Store

    entries = Store(connect(load_settings().database)).entries(run)
    if not entries:
        raise RunUnknown(f"There is no run {run}.")
    if verify:
        typer.echo(check_audit(entries))
        return
    for line in audit_lines(entries, as_json=as_json):
        typer.echo(line)


@app.command()
def pause(run: RunId) -> None:
    """Pause a run; what it is doing ends within two seconds."""
    _control(run, "pause")


@app.command()
def resume(run: RunId) -> None:
    """Let a paused run go on from its last stored turn."""
    _control(run, "resume")


@app.command()
def cancel(run: RunId) -> None:
    """End a run; what it is doing ends within two seconds, and its issue is told."""
    _control(run, "cancel")


@app.command()
def retry(
    run: RunId,
    phase: Annotated[
        str, typer.Option(help="Where to begin again: prepare, specify, implement, verify or publish.")
    ],
) -> None:
    """Begin a run that ended without a result again at a phase."""
    _control(run, "retry", phase)


def _control(run: str, control: str, phase: str | None = None) -> None:
    import getpass

    from bot.runs.control import control_run
    from bot.storage.database import connect
    from bot.storage.store import Store

    store = Store(connect(load_settings().database))
    control_run(store, run, control, by=getpass.getuser(), where="on the command line", phase=phase)
    typer.echo(f"{control}: {run}")
