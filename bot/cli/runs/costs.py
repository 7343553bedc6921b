"""`scenarist costs`."""

import json
import time
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from bot.cli.options import AsJson
from bot.config.settings import load_settings
from bot.storage.database import connect
from bot.storage.usage import usage_by_repository


def costs(
    days: Annotated[float, typer.Option(min=0.01, help="How many days to look back.")] = 30,
    as_json: AsJson = False,
) -> None:
    """Print what runs have used, by repository."""
    engine = connect(load_settings().database)
    found = usage_by_repository(engine, time.time() - days * 86_400)
    if as_json:
        rows = [{"forge": forge, "repo": repo, **used.model_dump()} for forge, repo, used in found]
        typer.echo(json.dumps(rows, indent=2))
        return
    table = Table("repository", "runs", "done", "tokens", "US dollars", "minutes", box=None)
    for forge, repo, used in found:
        row = (used.runs, used.done, f"{used.tokens:,}", f"{used.cost:.2f}", f"{used.minutes:.1f}")
        table.add_row(f"{forge}:{repo}", *map(str, row))
    Console().print(table)
