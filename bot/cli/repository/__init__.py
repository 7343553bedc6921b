"""Commands for a repository: specify, check and verify, without a server.

One file for each command; `app.py` lists them."""
