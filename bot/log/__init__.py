"""The log of a run: its typed events, and the state that a fold of them gives.

Pure values; the other rooms store them, drive them and report them."""
