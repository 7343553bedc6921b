"""Measurements beside peers, in one run: `make bench`. Each module is one table."""
