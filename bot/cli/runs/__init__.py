"""Commands that list runs, show one, and control it.

One file for each command; `app.py` lists them."""
