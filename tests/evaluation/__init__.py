"""The shipped set `smoke` with scripted models: `make eval-smoke`."""
