"""The tool loop: ask a model, run its calls, notice when it repeats itself. It knows no provider.

`single_requests/` asks models without tools.
"""
