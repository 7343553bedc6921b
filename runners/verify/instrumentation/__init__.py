"""Code under test that is changed for an experiment: it fails, returns something else, or counts assertions.

`product.py` finds the code, `sabotage.py` breaks it, `mutants.py` makes small faults in it, and
`step_code.py` changes the steps.
"""
