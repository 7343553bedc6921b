"""The log of a run: its typed events, and the state that is computed from them.

These are pure values; other rooms store them, drive runs by them and report them."""
