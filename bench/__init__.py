"""Measurements of Scenarist and of comparable programs in one run: `make bench`. Each module is one table."""
