"""Experiments on a proven change: does a scenario notice another expected value, broken code, a mutant?

`flip.py`, `answers.py` and `held_out.py` say what to try, with the code that `instrumentation/` changes.
`trials.py` runs the variants of the scenarios, and `experiment.py` decides what the results show.
"""
