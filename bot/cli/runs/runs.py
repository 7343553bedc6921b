"""`scenarist runs`."""

from typing import Annotated

import typer

from bot.config.settings import load_settings
from bot.storage.store import open_store


def runs(limit: Annotated[int, typer.Option(min=1, max=1000, help="How many.")] = 20) -> None:
    """List the newest runs."""
    for row in open_store(load_settings().database).list_runs(limit):
        typer.echo(f"{row.id}  {row.status:10}  {row.phase:9}  {row.target}")
