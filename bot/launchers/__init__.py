"""Launchers start a process for the next phases of one run, elsewhere; a folder for each kind of place.

`launcher.py` says what each of them can do; `dispatcher.py` decides what is launched and stopped, and knows
none of them."""
