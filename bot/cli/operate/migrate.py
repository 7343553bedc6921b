"""`scenarist migrate`."""

import json

import typer

from bot.cli.options import AsJson
from bot.config.settings import load_settings
from bot.storage import database
from runners.sandbox.scratch import make_state_folder


def migrate(as_json: AsJson = False) -> None:
    """Bring the database to the newest schema."""
    settings = load_settings()
    make_state_folder(settings.state_dir)
    engine = database.connect(settings.database)
    database.migrate(engine)
    shown = engine.url.render_as_string(hide_password=True)
    typer.echo(json.dumps({"database": shown}) if as_json else "The database is up to date.")
