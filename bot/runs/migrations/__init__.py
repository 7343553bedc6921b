"""Alembic's migrations; `bot.runs.database.migrate` applies them."""
