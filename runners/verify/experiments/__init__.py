"""Experiments on a proven change: does a scenario notice another expected value, broken code, other
examples, a mutant?

`trials.py` runs scenarios many times in one process; `flip.py`, `sabotage.py`, `held_out.py` and `mutants.py`
say what to try, `experiment.py` decides what the results show, and `findings.py` is how the verdict records
them.
"""
