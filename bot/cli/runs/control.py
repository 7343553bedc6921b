"""`scenarist pause`, `resume`, `cancel` and `retry`."""

import getpass
import json
from typing import Annotated

import typer

from bot.cli.options import AsJson, RunId
from bot.config.settings import load_settings
from bot.runs.control import control_run
from bot.storage.store import open_store


def pause(run: RunId, as_json: AsJson = False) -> None:
    """Pause a run within two seconds."""
    _control(run, "pause", as_json)


def resume(run: RunId, as_json: AsJson = False) -> None:
    """Resume a paused run from its last stored turn."""
    _control(run, "resume", as_json)


def cancel(run: RunId, as_json: AsJson = False) -> None:
    """Cancel a run within two seconds, and tell its issue."""
    _control(run, "cancel", as_json)


def retry(
    run: RunId,
    phase: Annotated[
        str, typer.Option(help="Where to start: prepare, specify, implement, verify or publish.")
    ],
    as_json: AsJson = False,
) -> None:
    """Start a run again at a phase, after it ended without a result."""
    _control(run, "retry", as_json, phase)


def _control(run: str, control: str, as_json: bool, phase: str | None = None) -> None:
    store = open_store(load_settings().database)
    control_run(store, run, control, by=getpass.getuser(), where="on the command line", phase=phase)
    typer.echo(json.dumps({"run": run, "control": control}) if as_json else f"{control}: {run}")
