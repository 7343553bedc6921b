"""The gate: runs the committed tree in fresh sandboxes and says in a `Verdict` what is proven.

What is claimed and what was found is here; `rules`, `suites` and `experiments` look for it, `gate` decides.
"""
