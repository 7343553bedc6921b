"""Experiments on a proven change: does a scenario notice another expected value, broken code, a mutant?

`flip.py`, `sabotage.py`, `held_out.py` and `mutants.py` say what to try. `experiment.py` runs the variants of
the scenarios and decides what the results show.
"""
