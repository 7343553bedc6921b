"""Commands for operators: processes, database, checks and cleaning.

One file for each command; `app.py` lists them."""
