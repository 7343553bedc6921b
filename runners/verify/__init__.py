"""The gate: runs the committed tree in a fresh sandbox and says in a `Verdict` what is proven."""
