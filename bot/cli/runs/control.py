"""`scenarist pause`, `resume`, `cancel` and `retry`."""

import getpass
from typing import Annotated

import typer

from bot.cli.options import RunId
from bot.config.settings import load_settings
from bot.runs.control import control_run
from bot.storage.store import open_store


def pause(run: RunId) -> None:
    """Pause a run within two seconds."""
    _control(run, "pause")


def resume(run: RunId) -> None:
    """Resume a paused run from its last stored turn."""
    _control(run, "resume")


def cancel(run: RunId) -> None:
    """Cancel a run within two seconds, and tell its issue."""
    _control(run, "cancel")


def retry(
    run: RunId,
    phase: Annotated[
        str, typer.Option(help="Where to start: prepare, specify, implement, verify or publish.")
    ],
) -> None:
    """Start a run that ended without a result again at a phase."""
    _control(run, "retry", phase)


def _control(run: str, control: str, phase: str | None = None) -> None:
    store = open_store(load_settings().database)
    control_run(store, run, control, by=getpass.getuser(), where="on the command line", phase=phase)
    typer.echo(f"{control}: {run}")
