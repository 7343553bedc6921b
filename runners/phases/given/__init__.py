"""What every phase is given: the checkout, the tools with their policy, and the claim of a verdict.

`rules_ahead.py` asks the verdict's rules about work that is not finished."""
