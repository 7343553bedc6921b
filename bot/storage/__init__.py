"""The database: tables, migrations, the store of runs and their logs, and usage.

SQLite and PostgreSQL behave alike behind it."""
