"""Alembic's migrations; `bot.storage.database.migrate` applies them."""
