"""`scenarist migrate`."""

import typer

from bot.config.settings import load_settings
from bot.storage import database
from runners.sandbox.scratch import make_state_folder


def migrate() -> None:
    """Bring the database to the newest schema."""
    settings = load_settings()
    make_state_folder(settings.state_dir)
    database.migrate(database.connect(settings.database))
    typer.echo("The database is up to date.")
