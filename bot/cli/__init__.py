"""The `scenarist` command: one file for each subcommand.

`app.py` lists them and turns errors into exit statuses."""
