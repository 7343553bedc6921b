"""The run: its log of typed events, the state folded from it, the store, and the graph of phases."""
