"""`scenarist migrate`."""

import typer

from bot.config.settings import load_settings
from bot.storage import database


def migrate() -> None:
    """Bring the database to the newest schema."""
    settings = load_settings()
    settings.state_dir.mkdir(parents=True, exist_ok=True)
    database.migrate(database.connect(settings.database))
    typer.echo("The database is up to date.")
