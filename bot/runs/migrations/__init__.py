"""Alembic's migrations; `bot.runs.store.migrate` applies them."""
