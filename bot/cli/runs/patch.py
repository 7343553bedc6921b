"""`scenarist patch`."""

import sys

import typer

from bot.cli.options import RunId
from bot.cli.runs.audit import entries_of
from bot.config.settings import load_settings
from bot.storage.store import open_store
from gherkin.errors import ScenaristError
from runners.contract.job import PATCH
from runners.policy.plaintext import without_controls


class NoPatch(ScenaristError):
    """The run left no unfinished work."""

    code = "SCN-6012"
    next_step = "See what the run did with `scenarist log`; work that was proven is in its pull request."


def patch(run: RunId) -> None:
    """Print the work that a run could not prove, as a patch for `git apply`."""
    entries_of(run)
    found = open_store(load_settings().database).artifact(run, PATCH)
    if found is None:
        raise NoPatch(f"Run {run} left no patch.")
    if sys.stdout.isatty():
        typer.echo(without_controls(found.decode(errors="replace")), nl=False)
    else:
        sys.stdout.buffer.write(found)
