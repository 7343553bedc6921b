"""Work on a run from a machine that reaches only the web app, and neither the database nor the broker.

`store.py` is what the driver uses there, `server.py` answers it, and `tokens.py` decides who is let in.
"""
