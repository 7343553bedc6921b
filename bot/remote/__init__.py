"""Work on a run from a machine that reaches neither the database nor the broker, but the web app alone.

`store.py` is what the driver works with there, `server.py` what answers it, `tokens.py` what lets it in."""
