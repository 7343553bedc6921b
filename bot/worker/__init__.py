"""The Celery app, its tasks, and the processes that `scenarist up` starts.

`worker.py` builds what a worker needs from the settings;
`inline.py` does every phase in one process instead."""
