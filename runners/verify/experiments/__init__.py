"""Experiments on a proven change: does a scenario notice another expected value, broken code, other
examples, a mutant?

`flip.py`, `sabotage.py`, `held_out.py` and `mutants.py` say what to try; `experiment.py` runs the scenarios
so changed and decides what the results show.
"""
