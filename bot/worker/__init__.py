"""The Celery app, its tasks, and the processes that `scenarist up` starts.

`worker.py` makes the parts of a worker from the settings;
`inline.py` does all phases in one process instead."""
