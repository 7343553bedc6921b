"""The gate: run the committed tree in fresh sandboxes, and say in a `Verdict` what is proven.

The claim and the findings are here. `rules`, `suites` and `experiments` examine the change, and `gate`
decides.
"""
